//! A listener on loopback: TLS, both HTTP versions, client certificates, upgrades, an orderly end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use warren_access::Shared;
use warren_apimachinery::{Status, StatusReason};
use warren_apiserver::{ApiServer, Body, Connect, Hello, Limits, Route, Routed, Tunnel, serve};
use warren_pki::{Authority, Issued};

use crate::cluster::TestCluster;

/// Answers below `/clusters/one`, and without a prefix.
struct One {
    cluster: TestCluster,
    tls: Arc<ServerConfig>,
}

#[async_trait]
impl Route for One {
    fn tls(&self, _: &Hello) -> Option<Arc<ServerConfig>> {
        Some(Arc::clone(&self.tls))
    }

    async fn route(&self, _: &Hello, path: &str) -> Result<Routed, Status> {
        const PREFIX: &str = "/clusters/one";
        if path.starts_with("/clusters/") && !path.starts_with(PREFIX) {
            return Err(Status::new(StatusReason::NotFound, "there is no such cluster"));
        }
        let prefix = if path.starts_with(PREFIX) { PREFIX.len() } else { 0 };
        Ok(Routed {
            cluster: Arc::clone(&self.cluster.api),
            prefix,
        })
    }
}

/// Upgrades, and sends back what comes.
struct Echo;

#[async_trait]
impl Tunnel for Echo {
    async fn connect(&self, mut connect: Connect) -> Result<Response<Body>, Status> {
        let upgrade = hyper::upgrade::on(&mut connect.request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "echo")
            .header("x-container", connect.container);
        Ok(response.body(Body::empty()).unwrap())
    }
}

struct Serving {
    address: SocketAddr,
    authority: Arc<Authority>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Serving {
    async fn start() -> Self {
        let cluster = TestCluster::new(Shared::new(), Arc::new(Echo), None);
        let authority = Arc::clone(&cluster.authority);
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let issued = authority
            .issue_server(&["localhost".to_owned()], &[loopback], Timestamp::now())
            .unwrap();
        let tls = Arc::new(warren_pki::server_config(&issued, &[]).unwrap());
        let listener = TcpListener::bind((loopback, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let route = Arc::new(One { cluster, tls });
        let server = Arc::new(ApiServer::new());
        let task = tokio::spawn(serve(listener, server, route, Limits::default(), stopped));
        Self {
            address,
            authority,
            stop,
            task,
        }
    }

    fn admin(&self) -> Issued {
        self.authority
            .issue_client("root", &["system:masters".to_owned()], Timestamp::now())
            .unwrap()
    }

    async fn connect(&self, alpn: &str, client: Option<&Issued>) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match client {
            None => builder.with_no_client_auth(),
            Some(issued) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }

    async fn send(
        &self,
        alpn: &str,
        client: Option<&Issued>,
        request: Request<Full<Bytes>>,
    ) -> Response<Incoming> {
        let io = TokioIo::new(self.connect(alpn, client).await);
        if alpn == "h2" {
            let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection.with_upgrades());
            sender.send_request(request).await.unwrap()
        }
    }
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path)
        .header(header::HOST, "localhost")
        .body(Full::default())
        .unwrap()
}

async fn json_of(response: Response<Incoming>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn both_http_versions_are_spoken_below_a_prefix_too() {
    let serving = Serving::start().await;
    let admin = serving.admin();
    for (alpn, prefix) in [
        ("http/1.1", ""),
        ("http/1.1", "/clusters/one"),
        ("h2", ""),
        ("h2", "/clusters/one"),
    ] {
        let uri = if alpn == "h2" {
            format!("https://localhost{prefix}")
        } else {
            prefix.to_owned()
        };
        let response = serving
            .send(
                alpn,
                Some(&admin),
                get(&format!("{uri}/api/v1/namespaces/default")),
            )
            .await;
        assert_eq!(response.status(), 200, "{alpn} {prefix}");
        assert_eq!(json_of(response).await["kind"], "Namespace");
    }
    let response = serving.send("http/1.1", None, get("/clusters/two/api")).await;
    assert_eq!(response.status(), 404);
    assert_eq!(json_of(response).await["message"], "there is no such cluster");
}

#[tokio::test]
async fn a_client_certificate_says_who_asks() {
    let serving = Serving::start().await;
    let stranger = Authority::generate("other", Timestamp::now()).unwrap();
    let foreign = stranger
        .issue_client("root", &["system:masters".to_owned()], Timestamp::now())
        .unwrap();
    let nobody = serving.send("http/1.1", None, get("/api/v1/pods")).await;
    assert_eq!(nobody.status(), 403);
    assert_eq!(
        json_of(nobody).await["message"],
        "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope"
    );
    assert_eq!(
        serving
            .send("h2", Some(&foreign), get("https://localhost/api/v1/pods"))
            .await
            .status(),
        401
    );
    let admin = serving.admin();
    assert_eq!(
        serving
            .send("h2", Some(&admin), get("https://localhost/api/v1/pods"))
            .await
            .status(),
        200
    );
}

/// A body of many small frames that tells when it has been sent to its end.
struct Slow {
    left: usize,
    ended: Arc<AtomicBool>,
}

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        if !self.left.is_multiple_of(2) {
            // Lets the server answer in between.
            self.left -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left == 0 {
            self.ended.store(true, Ordering::SeqCst);
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"[")))))
    }
}

#[tokio::test]
async fn what_is_refused_unread_is_read_first_so_that_the_stream_ends_in_order() {
    let serving = Serving::start().await;
    let stream = serving.connect("h2", None).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let ended = Arc::new(AtomicBool::new(false));
    let body = Slow {
        left: 2000,
        ended: Arc::clone(&ended),
    };
    let request = Request::post("https://localhost/api/v1/namespaces")
        .header(header::AUTHORIZATION, "Bearer nonsense")
        .body(body)
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_upgrade_is_handed_over_as_raw_bytes() {
    let serving = Serving::start().await;
    let admin = serving.admin();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
    let create = Request::post("/api/v1/namespaces/default/pods")
        .header(header::HOST, "localhost")
        .body(Full::from(pod.to_string()))
        .unwrap();
    assert_eq!(serving.send("http/1.1", Some(&admin), create).await.status(), 201);
    let exec = Request::post("/api/v1/namespaces/default/pods/p/exec?command=ls")
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "echo")
        .body(Full::default())
        .unwrap();
    let response = serving.send("http/1.1", Some(&admin), exec).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-container"]),
        (101, &"c".parse().unwrap())
    );
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"hello");
}

fn socket(origin: Option<&str>, accept: &str) -> Request<Full<Bytes>> {
    let path = "/api/v1/namespaces?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Ddefault";
    let mut request = Request::get(path)
        .header(header::HOST, "localhost")
        .header(header::ACCEPT, accept)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_watch_over_a_web_socket_is_a_message_an_event_and_a_farewell() {
    let serving = Serving::start().await;
    let admin = serving.admin();
    let from_nowhere = socket(None, "application/json");
    let refused = serving.send("http/1.1", Some(&admin), from_nowhere).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    for (accept, is_text) in [
        ("application/json", true),
        ("application/vnd.kubernetes.protobuf;stream=watch", false),
    ] {
        let request = socket(Some("http://localhost"), accept);
        let response = serving.send("http/1.1", Some(&admin), request).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(
            response.headers()[header::SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        let io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        let mut events = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        let first = events.next().await.unwrap().unwrap();
        assert_eq!(first.is_text(), is_text);
        if is_text {
            let event: Value = serde_json::from_slice(&first.into_data()).unwrap();
            assert_eq!(
                (&event["type"], &event["object"]["metadata"]["name"]),
                (&json!("ADDED"), &json!("default"))
            );
        }
        assert!(events.next().await.unwrap().unwrap().is_close());
    }
}

#[tokio::test]
async fn watches_end_when_the_listener_stops() {
    let serving = Serving::start().await;
    let admin = serving.admin();
    let response = serving
        .send(
            "h2",
            Some(&admin),
            get("https://localhost/api/v1/namespaces?watch=1"),
        )
        .await;
    let mut body = response.into_body();
    assert!(body.frame().await.is_some());
    serving.stop.send(true).unwrap();
    let ended = async { while body.frame().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), serving.task)
        .await
        .unwrap()
        .unwrap();
}
