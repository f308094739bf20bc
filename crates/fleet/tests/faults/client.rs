//! Requests over real TLS connections to a cluster of a fleet, as an HTTP client sends them: nothing is tidied up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use warren_apimachinery::ObjectKey;
use warren_fleet::{Embedded, Tenant, cluster_id, namespace_of};
use warren_pki::Issued;

/// No answer may take longer, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where requests go, and as whom.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    headers: HeaderMap,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
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

    /// What a refusal says: code, reason and message of its `Status`.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let status = self.json();
        if status["kind"] != "Status" {
            return (self.code, String::new(), self.text());
        }
        assert_eq!(status["code"], self.code, "{status}");
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        (self.code, text("reason"), text("message"))
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let all = self.headers.get_all(http::header::WARNING).iter();
        all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }
}

/// The cluster of a name; a virtual cluster's must be ready.
pub(crate) fn tenant(embedded: &Embedded, name: &str) -> Arc<Tenant> {
    let id = cluster_id(&ObjectKey::namespaced(namespace_of(name), name));
    embedded.fleet().tenant(&id).unwrap()
}

impl Client {
    /// Whoever shows this certificate (or none) to this cluster.
    pub(crate) fn new(tenant: &Tenant, identity: Option<&Issued>) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(tenant.authority_pem().as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some(issued) => {
                let chain = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .unwrap();
                let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        Self {
            address: tenant.listener().unwrap().address(),
            tls: Arc::new(config),
            headers: HeaderMap::new(),
        }
    }

    /// An administrator of the cluster.
    pub(crate) fn admin(tenant: &Tenant) -> Self {
        let issued = tenant.issue_admin(Timestamp::now()).unwrap();
        Self::new(tenant, Some(&issued))
    }

    /// The same, with one more header.
    pub(crate) fn with(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let mut changed = self.clone();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        changed.headers.append(name, value);
        changed
    }

    /// The same, with a bearer token.
    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), format!("Bearer {token}"))
    }

    /// Opens a connection that speaks no HTTP yet.
    pub(crate) async fn stream(&self) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        connector.connect(name, socket).await.unwrap()
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Connection {
        let stream = self.stream().await;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Connection {
            sender,
            headers: self.headers.clone(),
        }
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Reply {
        let body = body.into();
        let answered = async { self.connect().await.call(method, path, content_type, body).await };
        tokio::time::timeout(PATIENCE, answered)
            .await
            .unwrap_or_else(|_| panic!("no answer to {method} {path}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "", "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, "", "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, "application/json", body.to_string())
            .await
    }

    /// Creates an object, and fails the test if that is refused.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Value {
        let reply = self.post(path, body).await;
        assert_eq!(reply.code, 201, "POST {path}: {}", reply.text());
        reply.json()
    }

    /// The items of a list.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let reply = self.get(path).await;
        assert_eq!(reply.code, 200, "GET {path}: {}", reply.text());
        reply.json()["items"].as_array().cloned().unwrap_or_default()
    }

    /// Asks again and again until the answer is as wanted; fails loudly when it never is.
    pub(crate) async fn until<T>(&self, path: &str, mut wanted: impl FnMut(&Reply) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut connection = self.connect().await;
        loop {
            let reply = connection.call("GET", path, "", Bytes::new()).await;
            if let Some(found) = wanted(&reply) {
                return found;
            }
            let now = tokio::time::Instant::now();
            assert!(now < deadline, "GET {path} is still {}", reply.text());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// One open connection: one request at a time.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    headers: HeaderMap,
}

impl Connection {
    pub(crate) async fn call(&mut self, method: &str, path: &str, content_type: &str, body: Bytes) -> Reply {
        let response = self.send(method, path, content_type, body).await.unwrap();
        let (head, body) = response.into_parts();
        Reply {
            code: head.status.as_u16(),
            headers: head.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Sends a request; the answer's body may go on.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(HOST, "localhost");
        if !self.headers.contains_key(ACCEPT) {
            request = request.header(ACCEPT, "application/json");
        }
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        self.sender.ready().await?;
        self.sender
            .send_request(request.body(Full::new(body)).unwrap())
            .await
    }
}
