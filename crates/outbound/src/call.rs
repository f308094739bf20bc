//! `Calls`: posts to webhooks, for all clusters of the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Uri, header};
use http_body_util::Full;
use hyper::body::Bytes;
use rustls::ClientConfig;
use warren_access::{Destination, Outbound, Place, Reply};
use warren_apimachinery::ClusterId;

use crate::exchange::{Answer, Server, exchange};

/// The most that is read of an answer.
const LIMIT: usize = 16 << 20;
/// How many different authorities are remembered; above it all are forgotten.
const AUTHORITIES: usize = 200;
const HTTPS: u16 = 443;

/// Finds the servers behind Services; the fleet implements it.
pub trait Services: Send + Sync + 'static {
    /// Host and port where a Service's port is reached.
    ///
    /// # Errors
    /// In upstream's words: `service "x" not found`, `no endpoints available for service "x"`.
    fn resolve(
        &self,
        cluster: &ClusterId,
        namespace: &str,
        name: &str,
        port: u16,
    ) -> Result<(String, u16), String>;
}

/// See the module.
pub struct Calls {
    services: Box<dyn Services>,
    /// By the PEM that they were made of, so that TLS sessions are resumed. At most `AUTHORITIES`.
    authorities: Mutex<HashMap<String, Arc<ClientConfig>>>,
}

impl Calls {
    /// Calls that find Services by `services`.
    pub fn new(services: impl Services) -> Self {
        Self {
            services: Box::new(services),
            authorities: Mutex::default(),
        }
    }

    fn tls(&self, authority_pem: &str) -> Result<Arc<ClientConfig>, String> {
        let mut known = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known.get(authority_pem) {
            return Ok(Arc::clone(config));
        }
        let config = warren_pki::client_config(authority_pem)
            .map_err(|_| "unable to load root certificates: unable to parse bytes as PEM block".to_owned())?;
        if known.len() >= AUTHORITIES {
            known.clear();
        }
        known.insert(authority_pem.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    async fn send(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        url: &str,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let uri: Uri = url.parse().map_err(|error| format!("parse {url:?}: {error}"))?;
        if uri.scheme_str() != Some("https") {
            return Err(format!(
                "unsupported protocol scheme {:?}",
                uri.scheme_str().unwrap_or_default()
            ));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let (dial, port) = match &to.place {
            Place::Url(_) => (host.to_owned(), uri.port_u16().unwrap_or(HTTPS)),
            Place::Service {
                namespace,
                name,
                port,
                ..
            } => self.services.resolve(cluster, namespace, name, *port)?,
        };
        let server = Server {
            dial: (&dial, port),
            name: host,
            authority: uri.authority().map_or(host, |authority| authority.as_str()),
            tls: self.tls(&to.authority_pem)?,
        };
        let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, */*")
            .header(header::USER_AGENT, "kube-apiserver-admission")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        exchange(&server, request, LIMIT).await
    }
}

#[async_trait]
impl Outbound for Calls {
    async fn post(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Reply, String> {
        let url = format!("{}?timeout={}s", to.url(), timeout.as_secs());
        let sent = tokio::time::timeout(timeout, self.send(cluster, to, &url, body)).await;
        let answer = sent.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()));
        let (code, body) = answer.map_err(|why| format!("Post {url:?}: {why}"))?;
        Ok(Reply { code, body })
    }
}
