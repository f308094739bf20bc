//! One request over a connection of its own: HTTP/1.1 over TLS, as upstream asks webhooks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::wording;

/// A server: where to dial, and as whom it must prove itself.
pub(crate) struct Server<'a> {
    /// Host and port to dial.
    pub(crate) dial: (&'a str, u16),
    /// The name that its certificate must hold.
    pub(crate) name: &'a str,
    /// `Host` of the request.
    pub(crate) authority: &'a str,
    pub(crate) tls: Arc<ClientConfig>,
}

/// The answer's code and body.
pub(crate) type Answer = (u16, Vec<u8>);

/// Why a body broke off.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Sends one request and reads its answer, no more than `limit` bytes of it.
///
/// # Errors
/// In the words of Go's HTTP client, without the address of the request.
pub(crate) async fn exchange(
    server: &Server<'_>,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Answer, String> {
    let (head, body) = open(server, request).await?.into_parts();
    let body = Limited::new(body, limit).collect().await;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => format!("the answer is larger than {limit} bytes"),
        None => error.to_string(),
    })?;
    Ok((head.status.as_u16(), body.to_bytes().to_vec()))
}

/// Sends one request. The connection lives in the answer's body, which drives it and ends it.
///
/// # Errors
/// In the words of Go's HTTP client, without the address of the request.
pub(crate) async fn open<B>(
    server: &Server<'_>,
    mut request: Request<B>,
) -> Result<Response<Connected>, String>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Broken>,
{
    let dialled = TcpStream::connect(server.dial).await;
    let stream = dialled.map_err(|error| wording::dial(server.dial, &error))?;
    // An answer is late rather than wrong without it.
    let _ = stream.set_nodelay(true);
    let name = ServerName::try_from(server.name.to_owned()).map_err(|error| error.to_string())?;
    let connected = TlsConnector::from(Arc::clone(&server.tls))
        .connect(name, stream)
        .await;
    let stream = connected.map_err(|error| wording::handshake(server.name, &error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| wording::http(&error))?;
    if let Ok(host) = http::HeaderValue::from_str(server.authority) {
        request.headers_mut().insert(header::HOST, host);
    }
    let mut connection: Driving = Box::pin(connection.with_upgrades());
    let mut answering = Box::pin(sender.send_request(request));
    let response = tokio::select! {
        biased;
        response = &mut answering => response,
        // The last bytes may have come with the end of the connection.
        ended = &mut connection => match ended {
            Ok(()) => answering.await,
            Err(error) => Err(error),
        },
    };
    let response = response.map_err(|error| wording::http(&error))?;
    Ok(response.map(|body| Connected {
        body,
        connection: Some(connection),
    }))
}

type Driving = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A body and the connection that it comes by.
pub(crate) struct Connected {
    body: Incoming,
    connection: Option<Driving>,
}

impl Connected {
    /// The connection, to be driven by who takes the stream of an upgrade.
    pub(crate) fn into_connection(self) -> Option<Driving> {
        self.connection
    }
}

impl Body for Connected {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            // Whatever ended it, the body knows what it lacks.
            self.connection = None;
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
