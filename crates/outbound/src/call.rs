//! `Calls`: posts to webhooks, and requests to the servers of aggregated APIs, for all clusters of the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response, StatusCode, Uri, Version, header};
use hyper::body::Bytes;
use rustls::ClientConfig;
use tokio::time::Instant;
use warren_access::{Destination, Outbound, Place, Reply, Trust};
use warren_apimachinery::ClusterId;
use warren_apiserver::{Backends, Body, Forwarded};

use crate::exchange::{Answer, Dial, Server, TOO_LATE, Unanswered, exchange, open};
use crate::pool::{Key, Pool};
use crate::redirect;
use crate::services::{Endpoint, Services};
use crate::stream::Opened;
use crate::way::Way;

/// The most that is read of an answer.
const LIMIT: usize = 16 << 20;
/// How many different authorities are remembered; above it all are forgotten.
const AUTHORITIES: usize = 200;
/// How long a server of an aggregated API may take until its answer begins.
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const HTTPS: u16 = 443;

/// How to speak to servers, by whom is trusted and whose front proxy speaks.
type Known = HashMap<(Trust, Option<ClusterId>), Arc<ClientConfig>>;

/// See the module.
pub struct Calls {
    services: Box<dyn Services>,
    /// How pods are reached, once it is known.
    way: Way,
    /// By what they were made of, so that connections are shared and TLS sessions resumed. At most `AUTHORITIES`.
    authorities: Mutex<Known>,
    pool: Arc<Pool>,
}

impl Calls {
    /// Calls that find Services by `services`.
    pub fn new(services: impl Services) -> Self {
        Self {
            services: Box::new(services),
            way: Way::default(),
            authorities: Mutex::default(),
            pool: Arc::default(),
        }
    }

    /// Closes the connections that wait. Calls under way are not waited for: their callers are.
    pub async fn close(&self) {
        self.pool.close().await;
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

    /// Where to dial.
    fn resolve(&self, cluster: &ClusterId, to: &Destination, uri: &Uri) -> Result<Endpoint, String> {
        let at = || Endpoint::address(host(uri), uri.port_u16().unwrap_or(HTTPS));
        match &to.place {
            Place::Service {
                namespace,
                name,
                port,
                ..
            } if is_at(uri, &to.url()) => self.services.resolve(cluster, namespace, name, *port),
            _ => Ok(at()),
        }
    }

    /// One request to wherever `uri` is, by a destination's ways.
    async fn send(
        &self,
        (cluster, to): (&ClusterId, &Destination),
        uri: &Uri,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Answer, Unanswered> {
        let endpoint = self.resolve(cluster, to, uri).map_err(Unanswered::Nothing)?;
        let tls = self.tls(&to.trust, None).map_err(Unanswered::Nothing)?;
        let dial = ToEndpoint {
            calls: self,
            cluster,
            endpoint: &endpoint,
        };
        let server = self.server(&dial, uri, tls);
        exchange(&server, request, (LIMIT, deadline)).await
    }

    fn server<'a>(&'a self, dial: &'a ToEndpoint<'a>, uri: &'a Uri, tls: Arc<ClientConfig>) -> Server<'a> {
        let place = (dial.endpoint.host.as_str(), dial.endpoint.port);
        let key = Key::of(dial.cluster, place, host(uri), &tls);
        Server {
            dial,
            name: host(uri),
            authority: authority(uri),
            tls,
            pool: Some((&self.pool, key)),
        }
    }
}

/// Dials where a destination was found to be.
struct ToEndpoint<'a> {
    calls: &'a Calls,
    cluster: &'a ClusterId,
    endpoint: &'a Endpoint,
}

#[async_trait]
impl Dial for ToEndpoint<'_> {
    async fn dial(&self) -> Result<Opened, String> {
        let Calls { way, services, .. } = self.calls;
        way.open(services.as_ref(), self.cluster, self.endpoint).await
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

/// Whether an address is of the server at `url`.
fn is_at(uri: &Uri, url: &str) -> bool {
    let origin: Option<Uri> = url.parse().ok();
    origin.is_some_and(|origin| origin.authority() == uri.authority())
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
        let endpoint = self.resolve(cluster, to, &uri)?;
        let dial = ToEndpoint {
            calls: self,
            cluster,
            endpoint: &endpoint,
        };
        let server = self.server(&dial, &uri, self.tls(&to.trust, Some(cluster))?);
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().map_err(|error| format!("parse {path:?}: {error}"))?;
        head.version = Version::HTTP_11;
        head.headers.remove(header::CONTENT_LENGTH);
        let opened = tokio::time::timeout(PATIENCE, open(&server, Request::from_parts(head, body))).await;
        let mut response = opened.map_err(|_| TOO_LATE.to_owned())??;
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
        let deadline = Instant::now() + timeout;
        // Upstream tells the server in whole seconds how long it waits.
        let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
        let mut next = redirect::Next::post(format!("{}?timeout={seconds}s", to.url()), body.into());
        loop {
            let sent = async {
                let uri = uri(&next.url).map_err(Unanswered::Nothing)?;
                let request = next.request(&uri).map_err(Unanswered::Nothing)?;
                self.send((cluster, to), &uri, request, deadline).await
            };
            let answer = sent.await.map_err(|failed| match failed {
                Unanswered::Nothing(why) => next.failed(&why),
                Unanswered::Part(why) => {
                    format!(
                        "unexpected error when reading response body. Please retry. Original error: {why}"
                    )
                }
            })?;
            if next.follow(&answer)? {
                continue;
            }
            let media = answer.headers.get(header::CONTENT_TYPE);
            let media = media.and_then(|media| media.to_str().ok()).unwrap_or_default();
            return Ok(Reply {
                code: answer.code,
                media: media.to_owned(),
                body: answer.body,
            });
        }
    }
}
