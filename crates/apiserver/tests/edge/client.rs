//! Requests to a test cluster without a connection, and their answers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use warren_access::{Outbound, Shared};
use warren_apiserver::{ApiServer, Backends, Body, Hello, NoTunnel, Peer, Tunnel};

use crate::cluster::{TOKEN, TestCluster};

/// Sends requests in an administrator's name.
pub(crate) struct Client {
    pub(crate) cluster: TestCluster,
    pub(crate) server: ApiServer,
    peer: Peer,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| Value::String(self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let all = self.headers.get_all(header::WARNING).iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with_tunnel(Arc::new(NoTunnel))
    }

    pub(crate) fn with_tunnel(tunnel: Arc<dyn Tunnel>) -> Self {
        Self::of(Shared::new(), tunnel, None)
    }

    /// Of a cluster whose `APIService`s lead to `backends`.
    pub(crate) fn beside(backends: Arc<dyn Backends>) -> Self {
        Self::of(Shared::new(), Arc::new(NoTunnel), Some(backends))
    }

    /// Of a cluster whose webhooks are reached by `outbound`.
    pub(crate) fn reaching(outbound: Arc<dyn Outbound>) -> Self {
        let shared = Shared::new();
        shared.reach_by(outbound);
        Self::of(shared, Arc::new(NoTunnel), None)
    }

    fn of(shared: Arc<Shared>, tunnel: Arc<dyn Tunnel>, backends: Option<Arc<dyn Backends>>) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            cluster: TestCluster::new(shared, tunnel, backends),
            server: ApiServer::new(),
            peer: Peer::new(
                Hello {
                    server_name: None,
                    local: nowhere,
                    remote: nowhere,
                },
                Vec::new(),
            ),
        }
    }

    /// Begins to answer; the body may go on, as of a watch.
    pub(crate) async fn open(&self, request: Request<Body>) -> http::Response<Body> {
        self.server
            .handle(&self.cluster.api, &self.peer, request, 0)
            .await
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Reply {
        let bearer = format!("Bearer {TOKEN}").parse().unwrap();
        request
            .headers_mut()
            .entry(header::AUTHORIZATION)
            .or_insert(bearer);
        let (head, body) = self.open(request).await.into_parts();
        Reply {
            status: head.status,
            headers: head.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.read_as(path, "application/json").await
    }

    pub(crate) async fn read_as(&self, path: &str, accept: &str) -> Reply {
        let request = Request::get(path).header(header::ACCEPT, accept);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type);
        self.send(request.body(Body::full(body)).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, "application/json", body.to_string())
            .await
    }
}
