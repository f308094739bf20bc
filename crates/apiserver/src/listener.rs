//! Accepts connections: TLS by server name, HTTP/1.1 and HTTP/2, bounds on everything, an orderly end.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConnection;
use smol_str::SmolStr;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use warren_telemetry::metrics::Running;

use crate::body::{Body, Hold};
use crate::route::{After, Hello, Peer, Route, Stop};
use crate::server::{self, ApiServer};

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take to greet.
    pub handshake: Duration,
    /// How long answers under way may take at shutdown; watches are ended at once.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            handshake: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

const MAX_STREAMS: u32 = 2_000;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const MAX_HEADERS: u32 = 64 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The TLS record of the fatal alert `unrecognized_name` (RFC 6066): nobody of that name is served here.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Serves `listener` until `stop` becomes true (or its sender is gone), then drains. Owns a task per connection, all
/// of which have ended when it returns.
pub async fn serve(
    listener: TcpListener,
    server: Arc<ApiServer>,
    route: Arc<dyn Route>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let mut stop = Stop(stop);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            () = stop.stopped() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.stopped() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Ok((stream, remote)) = accepted else {
            // Out of file descriptors, mostly: let some connections end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        let connection = Connection {
            server: Arc::clone(&server),
            route: Arc::clone(&route),
            limits,
            stop: stop.clone(),
        };
        let hello = Hello {
            server_name: None,
            local,
            remote,
        };
        connections.spawn(async move {
            connection.run(stream, hello).await;
            drop(place);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        connections.shutdown().await;
    }
}

struct Connection {
    server: Arc<ApiServer>,
    route: Arc<dyn Route>,
    limits: Limits,
    stop: Stop,
}

impl Connection {
    async fn run(self, stream: TcpStream, hello: Hello) {
        let _open = Running::start(Arc::clone(&self.server.connections));
        // Answers are small and often: waiting to fill packets only adds latency.
        let _ = stream.set_nodelay(true);
        // What greeting a client takes is boxed, and so is each protocol: the task of a connection that only watches is
        // as small as what it still does.
        let handshake = Box::pin(self.handshake(stream, hello));
        let handshake = tokio::time::timeout(self.limits.handshake, handshake);
        let Ok(Some((stream, hello))) = handshake.await else {
            return;
        };
        let (_, session) = stream.get_ref();
        let is_h2 = session.alpn_protocol() == Some(b"h2");
        let certificates = presented(session);
        let peer = Arc::new(Peer::new(hello, certificates));
        Box::pin(self.speak(TokioIo::new(stream), peer, is_h2)).await;
    }

    async fn handshake(&self, stream: TcpStream, mut hello: Hello) -> Option<(TlsStream<TcpStream>, Hello)> {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream)
            .await
            .ok()?;
        hello.server_name = start.client_hello().server_name().map(SmolStr::new);
        let Some(config) = self.route.tls(&hello) else {
            let mut stream = start.io;
            // Whether the client still listens is its own business.
            let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
            let _ = stream.shutdown().await;
            return None;
        };
        let stream = start.into_stream(config).await.ok()?;
        Some((stream, hello))
    }

    async fn speak(self, io: TokioIo<TlsStream<TcpStream>>, peer: Arc<Peer>, is_h2: bool) {
        let Self {
            server,
            route,
            mut stop,
            ..
        } = self;
        let told = stop.clone();
        let after = After::default();
        let left = after.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(told.clone());
            request.extensions_mut().insert(after.clone());
            let (server, route, peer) = (Arc::clone(&server), Arc::clone(&route), Arc::clone(&peer));
            // Boxed, so that a connection that watches does not carry the room of every other answer.
            Box::pin(async move {
                let routed = route.route(&peer.hello, request.uri().path()).await;
                Ok::<_, std::convert::Infallible>(match routed {
                    Ok(routed) => {
                        let (parts, body) = request.into_parts();
                        // Only HTTP/2 tells its peer about a body that nobody reads to its end.
                        let is_held = is_h2 && !hyper::body::Body::is_end_stream(&body);
                        let (body, hold) = if is_held {
                            Body::held(body)
                        } else {
                            (body.into(), Hold::default())
                        };
                        let request = Request::from_parts(parts, body);
                        let answer = server
                            .handle(&routed.cluster, &peer, request, routed.prefix)
                            .await;
                        hold.drain().await;
                        answer
                    }
                    Err(status) => server::unrouted(&status),
                })
            })
        });
        // Errors of a connection are the client's: it went away, or spoke nonsense.
        if is_h2 {
            let mut connection = Box::pin(http2().serve_connection(io, service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stop.stopped() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        } else {
            let mut connection = Box::pin(http1().serve_connection(io, service).with_upgrades());
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.stopped() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
            if let Some(work) = left.take() {
                work.await;
            }
        }
    }
}

fn presented(session: &ServerConnection) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    session
        .peer_certificates()
        .unwrap_or_default()
        .iter()
        .map(|certificate| certificate.clone().into_owned())
        .collect()
}

fn http2() -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADERS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}

fn http1() -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(120))
        .max_headers(200)
        .half_close(false);
    builder
}
