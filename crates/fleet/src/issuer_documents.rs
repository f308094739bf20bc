//! Fetches the documents of token issuers over HTTPS. Follows no redirect, reads no more than `LIMIT`, waits no longer
//! than `PATIENCE`.

use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use warren_access::DocumentSource;

const LIMIT: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct IssuerDocuments;

#[async_trait]
impl DocumentSource for IssuerDocuments {
    async fn fetch(&self, url: &str, authority: &str) -> Result<Vec<u8>, String> {
        let fetched = tokio::time::timeout(PATIENCE, fetch(url, authority)).await;
        fetched.unwrap_or_else(|_| Err(format!("{url} does not answer")))
    }
}

async fn fetch(url: &str, authority: &str) -> Result<Vec<u8>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let config = warren_pki::client_config(authority).map_err(|error| wrong(&error))?;
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443)))
        .await
        .map_err(|error| wrong(&error))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| wrong(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| wrong(&error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(
            header::HOST,
            uri.authority().map_or(host, |authority| authority.as_str()),
        )
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| wrong(&error))?;
    let answering = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| wrong(&error))?;
        if response.status() != http::StatusCode::OK {
            return Err(wrong(&response.status()));
        }
        let body = Limited::new(response.into_body(), LIMIT);
        let body = body.collect().await.map_err(|error| wrong(&error))?;
        Ok(body.to_bytes().to_vec())
    };
    tokio::select! {
        answer = answering => answer,
        ended = connection => Err(ended.err().map_or_else(|| format!("{url} hung up"), |error| wrong(&error))),
    }
}
