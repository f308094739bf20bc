//! Fetches the documents of token issuers over HTTPS. Follows no redirect, reads no more than `LIMIT`, waits no longer
//! than `PATIENCE`.

use std::time::Duration;

use async_trait::async_trait;
use http::{Request, StatusCode, Uri, header};
use hyper::body::Bytes;
use tokio::time::Instant;
use warren_access::DocumentSource;

use crate::call::HTTPS;
use crate::exchange::{Answer, Server, Tcp, Unanswered, exchange};

const LIMIT: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub struct IssuerDocuments;

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
    let server = Server {
        dial: &Tcp(host, uri.port_u16().unwrap_or(HTTPS)),
        name: host,
        authority: uri.authority().map_or(host, |authority| authority.as_str()),
        tls: warren_pki::client_config(authority).map_err(|error| wrong(&error))?,
        pool: None,
    };
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|error| wrong(&error))?;
    let deadline = Instant::now() + PATIENCE;
    let answer = exchange(&server, request, (LIMIT, deadline)).await;
    let Answer { code, body, .. } = answer.map_err(|failed| match failed {
        Unanswered::Nothing(why) | Unanswered::Part(why) => wrong(&why),
    })?;
    match StatusCode::from_u16(code) {
        Ok(StatusCode::OK) => Ok(body),
        Ok(other) => Err(wrong(&other)),
        Err(error) => Err(wrong(&error)),
    }
}
