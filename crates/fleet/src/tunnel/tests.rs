//! A client, a virtual cluster's API over TLS, and a host that switches to whatever it is asked for and echoes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, resource};
use warren_apiserver::NoTunnel;
use warren_reconciler::{Cluster, Clusters};
use warren_registry::reserve::{Cidr, LocalAddresses};
use warren_remote::{Endpoint, Origin, RemoteCluster, RemoteOptions, RequestBody};
use warren_syncer::Binding;
use warren_translate::{Identity, MANAGED_BY, Tenant as Names, Virtual};

use super::*;
use crate::fleet::{Nature, Port};
use crate::host::host_id;
use crate::listener::Listener;
use crate::options::Options;
use crate::real_host::{Overlay, RealHost};
use crate::virtual_cluster::{ApiAddress, first_objects};

const CLUSTER: &str = "team-a/demo";

/// What the host was asked, in order: method, path with query, headers.
type Heard = Arc<Mutex<Vec<(String, String, HeaderMap)>>>;

/// Answers as the API server of a host would, and echoes on streams; says `bye` once it was told that all was said.
async fn host(heard: Heard) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            let service = service_fn(move |request| answer(Arc::clone(&heard), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    server
}

async fn answer(
    heard: Heard,
    mut request: Request<Incoming>,
) -> Result<Response<RequestBody>, std::convert::Infallible> {
    let path = request.uri().to_string();
    heard.lock().unwrap().push((
        request.method().to_string(),
        path.clone(),
        request.headers().clone(),
    ));
    let full = |text: String| {
        Full::new(Bytes::from(text))
            .map_err(|never| match never {})
            .boxed_unsync()
    };
    if path.contains("refuse") {
        let said = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 400, "reason": "BadRequest",
            "message": "container \"app\" in pod \"web-x-default-x-demo\" is waiting to start: team-a/web-x-default-x-demo"});
        let mut response = Response::new(full(said.to_string()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    }
    if path.contains("/log") {
        // A line, and then silence: a log that is followed.
        let line = futures_util::stream::once(async { Ok(Frame::data(Bytes::from_static(b"a line\n"))) });
        let rest = futures_util::StreamExt::chain(line, futures_util::stream::pending());
        return Ok(Response::new(StreamBody::new(rest).boxed_unsync()));
    }
    let Some(protocol) = request.headers().get("upgrade").cloned() else {
        return Ok(Response::new(full("plain".to_owned())));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => break,
                Ok(read) => stream.write_all(&buffer[..read]).await.unwrap(),
                Err(_) => return,
            }
        }
        stream.write_all(b"bye").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let mut response = Response::new(full(String::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
        .headers_mut()
        .insert("connection", "Upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", protocol);
    response
        .headers_mut()
        .insert("x-stream-protocol-version", "v4.channel.k8s.io".parse().unwrap());
    Ok(response)
}

/// The objects of the host, which are kept here: only raw requests reach the host itself.
struct Objects(Arc<dyn Cluster>);

impl Overlay for Objects {
    fn over(&self, _: Arc<dyn Cluster>) -> Arc<dyn Cluster> {
        Arc::clone(&self.0)
    }
}

struct World {
    fleet: Arc<Fleet>,
    bindings: Arc<BindingTable>,
    listener: Arc<Listener>,
    endpoint: Endpoint,
    heard: Heard,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let heard = Heard::default();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("host");
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": host(Arc::clone(&heard)).await}}],
            "users": [{"name": "c", "user": {"token": "ours"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]});
        std::fs::write(&kubeconfig, text.to_string()).unwrap();
        let port = RemoteCluster::new(RemoteOptions {
            id: host_id(),
            origin: Origin::kubeconfig(Some(kubeconfig), None),
            ours: MANAGED_BY,
            namespace: None,
        });
        let fleet = Fleet::open(Options::in_memory()).await.unwrap();
        let backing = ClusterId::new("backing");
        let nature = Nature {
            reserve: Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
            tunnel: Arc::new(NoTunnel),
            is_host: true,
        };
        fleet.load_or_make(&backing, nature).await.unwrap();
        let objects = fleet.cluster(&backing, "test").unwrap();
        fleet.is_on(RealHost {
            port: port.await.unwrap(),
            overlay: Some(Arc::new(Objects(Arc::clone(&objects)))),
            installation: None,
        });
        let bindings = Arc::new(BindingTable::default());
        let (listener, endpoint) = virtual_cluster(&fleet, &bindings, objects.as_ref()).await;
        Self {
            fleet,
            bindings,
            listener,
            endpoint,
            heard,
            _folder: folder,
        }
    }

    async fn connection(&self) -> TlsStream<TcpStream> {
        let tls = TlsConnector::from(self.endpoint.tls("http/1.1").unwrap());
        let stream = TcpStream::connect(self.listener.address()).await.unwrap();
        tls.connect("localhost".try_into().unwrap(), stream)
            .await
            .unwrap()
    }

    /// Sends a request and reads the head of its answer.
    async fn ask(&self, head: &str) -> (String, TlsStream<TcpStream>) {
        let mut stream = self.connection().await;
        let request = format!("{head}\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        (String::from_utf8(answer).unwrap(), stream)
    }

    async fn exec(&self, upgrade: &str, query: &str) -> (String, TlsStream<TcpStream>) {
        let path = format!("/api/v1/namespaces/default/pods/web/exec?{query}");
        let head = format!(
            "POST {path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\nX-Stream-Protocol-Version: v4.channel.k8s.io"
        );
        self.ask(&head).await
    }
}

/// A virtual cluster with a pod that is on the host.
async fn virtual_cluster(
    fleet: &Arc<Fleet>,
    bindings: &Arc<BindingTable>,
    host: &dyn Cluster,
) -> (Arc<Listener>, Endpoint) {
    let id = ClusterId::new(CLUSTER);
    let names = Names::new("demo", "team-a");
    bindings.put(Binding {
        virtual_cluster: id.clone(),
        host_cluster: host_id(),
        tenant: names.clone(),
        spec: Arc::default(),
        owner: None,
        api: None,
        dns: None,
    });
    let nature = Nature::of_virtual(fleet, bindings);
    let (tenant, _) = fleet.load_or_make(&id, nature).await.unwrap();
    first_objects(&tenant, ApiAddress::OfHost(None)).await.unwrap();
    let cluster = fleet.cluster(&id, "test").unwrap();
    let pod = |namespace: &str, name: &str| {
        json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": "n", "automountServiceAccountToken": false,
            "containers": [{"name": "app", "image": "i"}]}})
    };
    for (cluster, namespace) in [(cluster.as_ref(), "default"), (host, "team-a")] {
        let place = json!({"metadata": {"name": namespace}});
        // Every cluster has the first one.
        let _ = cluster.create(&resource::NAMESPACES, place).await;
        let account = json!({"metadata": {"name": "default", "namespace": namespace}});
        cluster
            .create(&resource::SERVICE_ACCOUNTS, account)
            .await
            .unwrap();
    }
    let made = cluster
        .create(&resource::PODS, pod("default", "web"))
        .await
        .unwrap();
    let key = Virtual(ObjectKey::namespaced("default", "web"));
    let mut host_pod = pod("team-a", &names.host_key(&resource::PODS, &key).0.name);
    host_pod.set("/metadata/labels", json!({}));
    host_pod.set("/metadata/annotations", json!({}));
    let identity = Identity {
        kind: "Pod".into(),
        key,
        uid: Virtual(made.meta().uid.clone()),
    };
    names.mark(&mut host_pod, &identity);
    host.create(&resource::PODS, host_pod).await.unwrap();
    let listener = fleet.listen(&tenant, Port::Any, &[]).await.unwrap();
    let admin = tenant.issue_admin(Timestamp::now()).unwrap();
    let endpoint = Endpoint {
        authority_pem: Some(tenant.authority_pem().as_bytes().to_vec()),
        identity_pem: Some((admin.certificate_pem.into_bytes(), admin.key_pem.into_bytes())),
        ..Endpoint::default()
    };
    (listener, endpoint)
}

async fn rest(mut stream: TlsStream<TcpStream>) -> String {
    let mut bytes = Vec::new();
    // A connection may be cut without TLS' farewell, which is an end as well.
    let reading = stream.read_to_end(&mut bytes);
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    let _ = read.expect("the stream does not end");
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn any_protocol_passes_both_ways_and_each_side_hears_the_others_end() {
    let world = World::new().await;
    for protocol in ["SPDY/3.1", "websocket"] {
        let (head, mut stream) = world.exec(protocol, "command=cat&stdin=true").await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(
            head.to_lowercase()
                .contains(&format!("upgrade: {}", protocol.to_lowercase())),
            "{head}"
        );
        assert!(
            head.contains("x-stream-protocol-version: v4.channel.k8s.io"),
            "{head}"
        );
        stream.write_all(b"\x80\x00 not understood").await.unwrap();
        let mut echo = [0; 17];
        stream.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"\x80\x00 not understood");
        stream.shutdown().await.unwrap();
        assert_eq!(rest(stream).await, "bye");
    }
    let heard = world.heard.lock().unwrap().clone();
    let (method, path, headers) = &heard[0];
    assert_eq!(
        (method.as_str(), path.as_str()),
        (
            "POST",
            "/api/v1/namespaces/team-a/pods/web-x-default-x-demo/exec?command=cat&stdin=true&container=app"
        )
    );
    assert_eq!(headers["authorization"], "Bearer ours");
    assert_eq!(headers["upgrade"], "SPDY/3.1");
    world.fleet.close().await;
}

#[tokio::test]
async fn a_refusal_of_the_host_is_told_in_the_tenants_words() {
    let world = World::new().await;
    let (head, stream) = world.exec("SPDY/3.1", "command=refuse").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let length = head.to_lowercase();
    let length = length
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    let mut stream = stream;
    stream.read_exact(&mut body).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(
        body.contains(r#"container \"app\" in pod \"web\" is waiting to start: default/web"#),
        "{body}"
    );
    world.fleet.close().await;
}

#[tokio::test]
async fn what_is_no_upgrade_is_none_to_the_host_either() {
    let world = World::new().await;
    let (head, _) = world
        .ask("POST /api/v1/namespaces/default/pods/web/attach HTTP/1.1")
        .await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let (head, _) = world.exec("SPDY/3.1", "container=sidecar-of-the-host").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(world.heard.lock().unwrap().is_empty());
    world.fleet.close().await;
}

#[tokio::test]
async fn streams_and_followed_logs_end_when_the_fleet_stops() {
    let world = World::new().await;
    let (_, stream) = world.exec("SPDY/3.1", "command=cat").await;
    let (head, mut log) = world
        .ask("GET /api/v1/namespaces/default/pods/web/log?follow=true HTTP/1.1")
        .await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut line = [0; 12];
    log.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"7\r\na line\n\r\n");
    let began = std::time::Instant::now();
    world.fleet.close().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(rest(stream).await, "");
    // Cut off, not ended: a client must not take it for the end of the log.
    assert!(!rest(log).await.contains("0\r\n\r\n"));
}

#[tokio::test]
async fn proxied_paths_are_those_behind_and_lead_nowhere_else() {
    let world = World::new().await;
    let pod = "/api/v1/namespaces/default/pods";
    let (head, _) = world
        .ask(&format!(
            "PUT {pod}/http:web:80/proxy/a%2Fb/?x=%20&container=y HTTP/1.1"
        ))
        .await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (head, _) = world
        .ask(&format!("GET {pod}/web/proxy/a/%2e%2e/%2e%2E/secrets HTTP/1.1"))
        .await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let heard = world.heard.lock().unwrap().clone();
    let asked: Vec<_> = heard
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(
        asked,
        ["PUT /api/v1/namespaces/team-a/pods/http:web-x-default-x-demo:80/proxy/a%2Fb/?x=%20&container=y"]
    );
    world.fleet.close().await;
}

#[tokio::test]
async fn a_tenant_has_a_bounded_number_of_streams() {
    let world = World::new().await;
    let cluster = world.fleet.cluster(&ClusterId::new(CLUSTER), "test").unwrap();
    let key = ObjectKey::namespaced("default", "web");
    let connect = || Connect {
        cluster: ClusterId::new(CLUSTER),
        resource: resource::PODS.group_resource(),
        object: cluster.get(&resource::PODS, &key).unwrap(),
        key: key.clone(),
        subresource: "log",
        container: "app".to_owned(),
        target: Default::default(),
        query: Default::default(),
        user: Default::default(),
        request: Request::new(Body::empty()),
    };
    let tunnel = ToHost::new(Arc::downgrade(&world.fleet), Arc::clone(&world.bindings));
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        open.push(tunnel.way(&connect()).unwrap().place);
    }
    let refused = tunnel.connect(connect()).await.err().unwrap();
    assert_eq!(refused.code(), 429);
    drop(open.pop());
    assert_eq!(tunnel.connect(connect()).await.unwrap().status(), StatusCode::OK);
    world.fleet.close().await;
}
