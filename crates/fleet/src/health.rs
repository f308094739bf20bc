//! Whether the process is alive and ready, for the host's kubelet: plain HTTP on an address of its own, nothing else is
//! answered there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::FleetError;

/// Connections at once: probes are few, and whoever else comes may wait.
const CONNECTIONS: usize = 16;
/// How long one may take for all that it asks.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the address and answers there until it is dropped. `is_ready` is asked for each `/readyz`.
///
/// # Errors
/// `Address` where it cannot listen there.
pub(crate) async fn open(
    address: SocketAddr,
    is_ready: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<impl Future<Output = ()> + Send, FleetError> {
    let bound = TcpListener::bind(address).await;
    let socket = bound.map_err(|source| FleetError::Address { address, source })?;
    Ok(serve(socket, Arc::new(is_ready)))
}

async fn serve(socket: TcpListener, is_ready: Arc<dyn Fn() -> bool + Send + Sync>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let is_ready = Arc::clone(&is_ready);
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), || is_ready());
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).keep_alive(false);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            // However it ends, the next probe asks again.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

fn answer(method: &Method, path: &str, is_ready: impl Fn() -> bool) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        _ if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n")
        }
        "/livez" | "/healthz" => (StatusCode::OK, "ok"),
        "/readyz" if is_ready() => (StatusCode::OK, "ok"),
        "/readyz" => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the host has not told of its virtual clusters yet\n",
        ),
        _ => (StatusCode::NOT_FOUND, "not found\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_answered_and_nothing_else() {
        let status =
            |method: Method, path: &str, ready: bool| answer(&method, path, || ready).status().as_u16();
        assert_eq!(status(Method::GET, "/livez", false), 200);
        assert_eq!(status(Method::GET, "/readyz", false), 503);
        assert_eq!(status(Method::GET, "/readyz", true), 200);
        assert_eq!(status(Method::GET, "/metrics", true), 404);
        assert_eq!(status(Method::POST, "/livez", true), 405);
    }
}
