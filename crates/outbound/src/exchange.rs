//! One request over HTTP/1.1 and TLS, as upstream asks webhooks, on a connection that waited or a new one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::pool::{Broken, Connection, Driving, Key, Payload, Pool};
use crate::stream::{Opened, secure, tcp};
use crate::wording;

/// What Go's client says when the time is over.
pub(crate) const TOO_LATE: &str = "context deadline exceeded";

/// Opens streams to a server.
#[async_trait]
pub(crate) trait Dial: Send + Sync {
    async fn dial(&self) -> Result<Opened, String>;
}

/// Over TCP.
pub(crate) struct Tcp<'a>(pub(crate) &'a str, pub(crate) u16);

#[async_trait]
impl Dial for Tcp<'_> {
    async fn dial(&self) -> Result<Opened, String> {
        tcp(self.0, self.1).await
    }
}

/// A server: how it is dialled, and as whom it must prove itself.
pub(crate) struct Server<'a> {
    pub(crate) dial: &'a dyn Dial,
    /// The name that its certificate must hold.
    pub(crate) name: &'a str,
    /// `Host` of the request.
    pub(crate) authority: &'a str,
    pub(crate) tls: Arc<ClientConfig>,
    /// Where its connections wait for the next request, and under which key; `None` to keep none.
    pub(crate) pool: Option<(&'a Arc<Pool>, Key)>,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer, in the words of Go's HTTP client, without the address of the request.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Not even its beginning.
    Nothing(String),
    /// It broke off.
    Part(String),
}

/// Sends one request and reads its answer, no more than `limit` bytes of it, no later than `deadline`.
pub(crate) async fn exchange(
    server: &Server<'_>,
    request: Request<Bytes>,
    (limit, deadline): (usize, Instant),
) -> Result<Answer, Unanswered> {
    let opened = tokio::time::timeout_at(deadline, again_if_stale(server, request)).await;
    let opened = opened.unwrap_or_else(|_| Err(TOO_LATE.to_owned()));
    let (head, body) = opened.map_err(Unanswered::Nothing)?.into_parts();
    let read = tokio::time::timeout_at(deadline, Limited::new(body, limit).collect()).await;
    let body = match read {
        Ok(Ok(body)) => body.to_bytes().to_vec(),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return Err(Unanswered::Part(format!(
                "the answer is larger than {limit} bytes"
            )));
        }
        Ok(Err(error)) => return Err(Unanswered::Part(wording::body(error.as_ref()))),
        Err(_) => return Err(Unanswered::Part(TOO_LATE.to_owned())),
    };
    Ok(Answer {
        code: head.status.as_u16(),
        headers: head.headers,
        body,
    })
}

/// A server may close a connection in the moment in which it is taken up again: then the request is sent once more.
async fn again_if_stale(server: &Server<'_>, request: Request<Bytes>) -> Result<Response<Connected>, String> {
    let waited = server.pool.as_ref().and_then(|(pool, key)| pool.take(key));
    if let Some(connection) = waited {
        let again = request.clone();
        match put(server, connection, request.map(whole)).await {
            Err(Failed { is_stale: true, .. }) => return fresh(server, again.map(whole)).await,
            other => return other.map_err(|failed| failed.why),
        }
    }
    fresh(server, request.map(whole)).await
}

fn whole(bytes: Bytes) -> Payload {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Sends one request. The connection lives in the answer's body, which drives it, and lets it wait for the next request
/// when it has ended.
///
/// # Errors
/// In the words of Go's HTTP client, without the address of the request.
pub(crate) async fn open<B>(server: &Server<'_>, request: Request<B>) -> Result<Response<Connected>, String>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Broken>,
{
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    let waited = server.pool.as_ref().and_then(|(pool, key)| pool.take(key));
    let Some(connection) = waited else {
        return fresh(server, request).await;
    };
    match put(server, connection, request).await {
        // Nothing of it was sent.
        Err(Failed {
            unsent: Some(request),
            ..
        }) => fresh(server, *request).await,
        other => other.map_err(|failed| failed.why),
    }
}

async fn fresh(server: &Server<'_>, request: Request<Payload>) -> Result<Response<Connected>, String> {
    let opened = server.dial.dial().await?;
    let stream = secure(opened, server.name, &server.tls).await?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| wording::http(&error))?;
    let connection = Connection {
        sender,
        driving: Box::pin(connection.with_upgrades()),
        _tls: Arc::clone(&server.tls),
    };
    let answered = put(server, connection, request).await;
    answered.map_err(|failed| failed.why)
}

/// Why a request got no answer.
struct Failed {
    why: String,
    /// The connection had ended.
    is_stale: bool,
    /// The request, where nothing of it was sent.
    unsent: Option<Box<Request<Payload>>>,
}

async fn put(
    server: &Server<'_>,
    mut connection: Connection,
    mut request: Request<Payload>,
) -> Result<Response<Connected>, Failed> {
    if let Ok(host) = http::HeaderValue::from_str(server.authority) {
        request.headers_mut().insert(header::HOST, host);
    }
    let mut answering = Box::pin(connection.sender.try_send_request(request));
    let response = tokio::select! {
        biased;
        response = &mut answering => response,
        // The last bytes may have come with the end of the connection; what ended it is told by the answer.
        _ = &mut connection.driving => answering.await,
    };
    let response = response.map_err(|mut failed| {
        let unsent = failed.take_message().map(Box::new);
        let error = failed.into_error();
        Failed {
            why: wording::http(&error),
            is_stale: unsent.is_some() || error.is_incomplete_message() || error.is_closed(),
            unsent,
        }
    })?;
    Ok(response.map(|body| Connected {
        body,
        connection: Some(connection),
        pool: server
            .pool
            .as_ref()
            .map(|(pool, key)| (Arc::clone(pool), key.clone())),
    }))
}

/// A body and the connection that it comes by.
pub(crate) struct Connected {
    body: Incoming,
    connection: Option<Connection>,
    pool: Option<(Arc<Pool>, Key)>,
}

impl Connected {
    /// The connection, to be driven by who takes the stream of an upgrade.
    pub(crate) fn into_connection(self) -> Option<Driving> {
        self.connection.map(|connection| connection.driving)
    }

    /// The body has ended: the connection waits for the next request.
    fn let_wait(&mut self, cx: &mut Context<'_>) {
        if let (Some(connection), Some((pool, key))) = (self.connection.take(), &self.pool) {
            pool.keep(key, connection, cx);
        }
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
            && connection.driving.as_mut().poll(cx).is_ready()
        {
            // Whatever ended it, the body knows what it lacks.
            self.connection = None;
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.let_wait(cx);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
