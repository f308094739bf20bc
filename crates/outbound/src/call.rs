//! `Calls`: posts to webhooks, and requests to the servers of aggregated APIs, for all clusters of the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response, StatusCode, Uri, Version, header};
use http_body_util::Full;
use hyper::body::Bytes;
use rustls::ClientConfig;
use warren_access::{Destination, Outbound, Place, Reply, Trust};
use warren_apimachinery::ClusterId;
use warren_apiserver::{Backends, Body, Forwarded};
use warren_pki::Issued;

use crate::exchange::{Answer, Server, exchange, open};

/// The most that is read of an answer.
const LIMIT: usize = 16 << 20;
/// How many different authorities are remembered; above it all are forgotten.
const AUTHORITIES: usize = 200;
/// How long a server of an aggregated API may take until its answer begins.
const PATIENCE: Duration = Duration::from_secs(60);
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

    /// What a cluster's API server shows to the servers of aggregated APIs: a client certificate of its front proxy.
    fn front_proxy(&self, cluster: &ClusterId) -> Option<Issued>;
}

/// How to speak to servers, by whom is trusted and whose front proxy speaks.
type Known = HashMap<(Trust, Option<ClusterId>), Arc<ClientConfig>>;

/// See the module.
pub struct Calls {
    services: Box<dyn Services>,
    /// By what they were made of, so that TLS sessions are resumed. At most `AUTHORITIES`.
    authorities: Mutex<Known>,
}

impl Calls {
    /// Calls that find Services by `services`.
    pub fn new(services: impl Services) -> Self {
        Self {
            services: Box::new(services),
            authorities: Mutex::default(),
        }
    }

    /// How to speak to servers, as the front proxy of a cluster or as nobody.
    fn tls(&self, trust: &Trust, proxy_of: Option<&ClusterId>) -> Result<Arc<ClientConfig>, String> {
        let key = (trust.clone(), proxy_of.cloned());
        if let Some(config) = self.known().get(&key) {
            return Ok(Arc::clone(config));
        }
        let identity = proxy_of.and_then(|cluster| self.services.front_proxy(cluster));
        let authorities = match trust {
            Trust::Machine => Some(""),
            Trust::Authorities(pem) => Some(pem.as_str()),
            Trust::Anyone => None,
        };
        let config = warren_pki::outgoing(authorities, identity.as_ref())
            .map_err(|_| "unable to load root certificates: unable to parse bytes as PEM block".to_owned())?;
        let mut known = self.known();
        if known.len() >= AUTHORITIES {
            known.clear();
        }
        known.insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.authorities.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Host and port to dial.
    fn resolve(&self, cluster: &ClusterId, to: &Destination, uri: &Uri) -> Result<(String, u16), String> {
        match &to.place {
            Place::Url(_) => Ok((host(uri).to_owned(), uri.port_u16().unwrap_or(HTTPS))),
            Place::Service {
                namespace,
                name,
                port,
                ..
            } => self.services.resolve(cluster, namespace, name, *port),
        }
    }

    async fn send(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        url: &str,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let uri = uri(url)?;
        let (dial, port) = self.resolve(cluster, to, &uri)?;
        let server = Server {
            dial: (&dial, port),
            name: host(&uri),
            authority: authority(&uri),
            tls: self.tls(&to.trust, None)?,
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

/// # Errors
/// When it is no address of a secure server.
fn uri(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error| format!("parse {url:?}: {error}"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        other => Err(format!(
            "unsupported protocol scheme {:?}",
            other.unwrap_or_default()
        )),
    }
}

fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

fn authority(uri: &Uri) -> &str {
    uri.authority()
        .map_or_else(|| host(uri), |authority| authority.as_str())
}

#[async_trait]
impl Backends for Calls {
    async fn forward(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        request: Request<Body>,
    ) -> Result<Forwarded, String> {
        let uri = uri(&to.url())?;
        let (dial, port) = self.resolve(cluster, to, &uri)?;
        let server = Server {
            dial: (&dial, port),
            name: host(&uri),
            authority: authority(&uri),
            tls: self.tls(&to.trust, Some(cluster))?,
        };
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().map_err(|error| format!("parse {path:?}: {error}"))?;
        head.version = Version::HTTP_11;
        head.headers.remove(header::CONTENT_LENGTH);
        let opened = tokio::time::timeout(PATIENCE, open(&server, Request::from_parts(head, body))).await;
        let mut response = opened.map_err(|_| "context deadline exceeded".to_owned())??;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Forwarded {
                response: response.map(Body::stream),
                upgrade: None,
            });
        }
        let upgrade = hyper::upgrade::on(&mut response);
        let (head, body) = response.into_parts();
        if let Some(connection) = body.into_connection() {
            // It ends as soon as the raw stream is taken out of it.
            connection.await.map_err(|error| error.to_string())?;
        }
        Ok(Forwarded {
            response: Response::from_parts(head, Body::empty()),
            upgrade: Some(upgrade),
        })
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
