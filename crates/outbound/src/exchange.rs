//! One request over a connection of its own: HTTP/1.1 over TLS, as upstream asks webhooks.

use std::sync::Arc;

use http::{Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
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

/// Sends one request and reads its answer, no more than `limit` bytes of it.
///
/// # Errors
/// In the words of Go's HTTP client, without the address of the request.
pub(crate) async fn exchange(
    server: &Server<'_>,
    mut request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Answer, String> {
    let dialled = TcpStream::connect(server.dial).await;
    let stream = dialled.map_err(|error| wording::dial(server.dial, &error))?;
    // An answer is late rather than wrong without it.
    let _ = stream.set_nodelay(true);
    let name = ServerName::try_from(server.name.to_owned()).map_err(|error| error.to_string())?;
    let connected = TlsConnector::from(Arc::clone(&server.tls))
        .connect(name, stream)
        .await;
    let stream = connected.map_err(|error| wording::handshake(server.name, &error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| wording::http(&error))?;
    if let Ok(host) = http::HeaderValue::from_str(server.authority) {
        request.headers_mut().insert(header::HOST, host);
    }
    let answering = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| wording::http(&error))?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), limit).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => format!("the answer is larger than {limit} bytes"),
            None => error.to_string(),
        })?;
        Ok((code, body.to_bytes().to_vec()))
    };
    let mut connection = std::pin::pin!(connection);
    let mut answering = std::pin::pin!(answering);
    tokio::select! {
        biased;
        answer = &mut answering => answer,
        // The last bytes may have come with the end of the connection.
        ended = &mut connection => match ended {
            Ok(()) => answering.await,
            Err(error) => Err(wording::http(&error)),
        },
    }
}
