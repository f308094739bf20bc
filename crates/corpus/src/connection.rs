//! One connection to an API server, made anew when the server closed it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use warren_remote::Endpoint;

/// How long one answer may take: longer than any watch of the corpus.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where to connect to, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    authority: String,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    authorization: Option<HeaderValue>,
}

impl Target {
    /// The API server of an endpoint.
    pub(crate) fn new(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let server: Uri = endpoint.server.parse().context("the server's address")?;
        let host = server.host().context("the server's address has no host")?;
        if server.scheme_str() != Some("https") {
            bail!("{}: only https is compared", endpoint.server);
        }
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = endpoint.tls_server_name.clone().unwrap_or_else(|| host.clone());
        let bearer = endpoint.token.as_ref().map(|token| format!("Bearer {token}"));
        Ok(Self {
            authority: format!("{host}:{}", server.port_u16().unwrap_or(443)),
            name: ServerName::try_from(name)?,
            tls: endpoint.tls("http/1.1")?,
            authorization: bearer.map(HeaderValue::try_from).transpose()?,
        })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let socket = TcpStream::connect(&self.authority).await?;
        socket.set_nodelay(true)?;
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(self.name.clone(), socket)
            .await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the connection, when the sender is dropped.
        tokio::spawn(connection);
        Ok(Connection {
            sender,
            target: self.clone(),
        })
    }
}

/// One open connection: one request at a time.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    target: Target,
}

/// What came back.
pub(crate) struct Raw {
    /// The HTTP status.
    pub(crate) code: u16,
    /// All headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Connection {
    /// Sends a request and reads the answer to its end.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> anyhow::Result<Raw> {
        let exchange = async {
            let (parts, body) = self.send(method, path, headers, body).await?.into_parts();
            let body = body.collect().await.context("the answer was cut off")?.to_bytes();
            Ok::<_, anyhow::Error>(Raw {
                code: parts.status.as_u16(),
                headers: parts.headers,
                body,
            })
        };
        let answered = tokio::time::timeout(PATIENCE, exchange).await;
        answered
            .map_err(anyhow::Error::from)
            .and_then(|answer| answer)
            .with_context(|| format!("{method} {path}"))
    }

    /// Watches until the first event; the watch goes with the connection.
    pub(crate) async fn first_event(mut self, path: &str) -> anyhow::Result<()> {
        let answer = self.send("GET", path, HeaderMap::new(), Bytes::new()).await?;
        let frame = tokio::time::timeout(PATIENCE, answer.into_body().frame()).await;
        match frame {
            Ok(Some(Ok(_))) => Ok(()),
            _ => bail!("{path}: no event came"),
        }
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> anyhow::Result<http::Response<Incoming>> {
        if self.sender.is_closed() || self.sender.ready().await.is_err() {
            self.sender = self.target.connect().await?.sender;
        }
        headers.insert(HOST, HeaderValue::try_from(self.target.authority.as_str())?);
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static("warren-corpus"));
        if let Some(authorization) = &self.target.authorization {
            headers
                .entry(http::header::AUTHORIZATION)
                .or_insert(authorization.clone());
        }
        let method = Method::from_bytes(method.as_bytes())?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(body))?;
        *request.headers_mut() = headers;
        Ok(self.sender.send_request(request).await?)
    }
}
