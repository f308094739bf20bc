//! One connection to an API server: hyper over rustls, and nothing above it, so that the client costs little.

use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, IF_NONE_MATCH, USER_AGENT,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use warren_remote::Endpoint;

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, kept alive.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// Its name in TLS.
    fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// Where to connect to, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    authorization: Option<HeaderValue>,
    protocol: Protocol,
}

impl Target {
    /// The API server of an endpoint.
    pub(crate) fn new(endpoint: &Endpoint, protocol: Protocol) -> anyhow::Result<Self> {
        let server: Uri = endpoint.server.parse().context("the server's address")?;
        if server.scheme_str() != Some("https") {
            bail!("{}: only https is measured", endpoint.server);
        }
        let host = server.host().context("the server's address has no host")?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = endpoint.tls_server_name.clone().unwrap_or_else(|| host.clone());
        let bearer = endpoint.token.as_ref().map(|token| format!("Bearer {token}"));
        Ok(Self {
            port: server.port_u16().unwrap_or(443),
            name: ServerName::try_from(name)?,
            tls: endpoint.tls(protocol.name())?,
            authorization: bearer.map(HeaderValue::try_from).transpose()?,
            protocol,
            host,
        })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
        socket.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = TokioIo::new(connector.connect(self.name.clone(), socket).await?);
        // The tasks end with their connection, when the sender is dropped.
        let sender = match self.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Connection {
            sender,
            target: self.clone(),
        })
    }
}

/// What was answered, whatever it says.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) tag: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// One open connection: one request at a time.
pub(crate) struct Connection {
    sender: Sender,
    target: Target,
}

impl Connection {
    /// Sends a request and reads the answer to its end, without keeping it. Answers its length.
    ///
    /// An answer that is no success is an error with its text.
    pub(crate) async fn measure(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<usize> {
        let response = self.send(method, path, body).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let mut body = response.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }

    /// Sends a request and answers the whole body of a success.
    pub(crate) async fn call(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
        let response = self.send(method, path, body).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(response.into_body().collect().await?.to_bytes())
    }

    /// Sends a request whose answer does not end by itself: a watch.
    pub(crate) async fn stream(&mut self, path: &str) -> anyhow::Result<Incoming> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response).await);
        }
        Ok(response.into_body())
    }

    /// Sends a patch and reads the answer to its end.
    pub(crate) async fn patch(
        &mut self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> anyhow::Result<()> {
        let response = self.send_as(Method::PATCH, path, content_type, body).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        response.into_body().collect().await?;
        Ok(())
    }

    /// Reads a document in a form; with the tag of one that is known, the server may say that it is still that.
    pub(crate) async fn ask(
        &mut self,
        path: &str,
        accept: &str,
        known: Option<&HeaderValue>,
    ) -> anyhow::Result<Answer> {
        let mut headers = vec![(ACCEPT, HeaderValue::try_from(accept)?)];
        headers.extend(known.map(|known| (IF_NONE_MATCH, known.clone())));
        let response = self.send_with(Method::GET, path, headers, Bytes::new()).await?;
        Ok(Answer {
            status: response.status(),
            tag: response.headers().get(ETAG).cloned(),
            body: response.into_body().collect().await?.to_bytes(),
        })
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Response<Incoming>> {
        self.send_as(method, path, "application/json", body).await
    }

    async fn send_as(
        &mut self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut headers = vec![(ACCEPT, HeaderValue::from_static("application/json"))];
        if !body.is_empty() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
        }
        self.send_with(method, path, headers, body).await
    }

    async fn send_with(
        &mut self,
        method: Method,
        path: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let target = &self.target;
        let mut request = Request::builder()
            .method(method)
            .header(USER_AGENT, HeaderValue::from_static("warren-bench"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = &target.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        match &mut self.sender {
            Sender::Http1(sender) => {
                let request = request
                    .uri(path)
                    .header(HOST, format!("{}:{}", target.host, target.port));
                sender.ready().await?;
                Ok(sender.send_request(request.body(Full::new(body))?).await?)
            }
            Sender::Http2(sender) => {
                let request = request.uri(format!("https://{}:{}{path}", target.host, target.port));
                sender.ready().await?;
                Ok(sender.send_request(request.body(Full::new(body))?).await?)
            }
        }
    }
}

async fn refusal(response: Response<Incoming>) -> anyhow::Error {
    let status = response.status();
    match response.into_body().collect().await {
        Ok(body) => anyhow::anyhow!("{status}: {}", String::from_utf8_lossy(&body.to_bytes())),
        Err(error) => anyhow::anyhow!("{status}: {error}"),
    }
}
