//! `ApiServer`: the way of a request. One for all clusters of a process; what it keeps is shared and bounded.
//!
//! The order: who (authentication, impersonation) → what (path) → may they → fair admission → the verb.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode, header, request};
use jiff::Timestamp;
use warren_access::{Attributes, Impersonation, RequestFacts};
use warren_apimachinery::{Status, UserInfo};
use warren_registry::Warnings;
use warren_telemetry::metrics::RequestLabels;

use crate::accept::Encoding;
use crate::answer;
use crate::asked::Asked;
use crate::body::Body;
use crate::cluster::ClusterApi;
use crate::cx::{Cx, Payload, failure_encoding};
use crate::discovery::Documents;
use crate::fairness::{Digest, KnownRules, Ticket};
use crate::gzip;
use crate::headers;
use crate::nonresource;
use crate::openapi;
use crate::path::Target;
use crate::query::Query;
use crate::resource;
use crate::route::{Peer, Stop};
use crate::unwind::caught;

/// How long a request may take that is neither a watch nor a stream.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Answers the requests of all clusters.
#[derive(Default)]
pub struct ApiServer {
    pub(crate) documents: Documents,
    pub(crate) openapi: openapi::Documents,
    pub(crate) flow_rules: KnownRules,
    /// How many connections are open.
    pub(crate) connections: Arc<AtomicI64>,
    /// Makes the lives of watches differ, so that they do not all come again at once.
    seed: AtomicU64,
}

/// A request as it came, and what its head says.
struct Received<'a> {
    asked: &'a Asked,
    labels: &'a RequestLabels,
    warnings: &'a Warnings,
    head: request::Parts,
    body: Body,
}

impl ApiServer {
    /// A server without clusters: routes bring them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers one request for `cluster`. `prefix` bytes of the path belong to the route. Never fails: what goes
    /// wrong is an answer.
    pub async fn handle(
        &self,
        cluster: &ClusterApi,
        peer: &Peer,
        request: Request<Body>,
        prefix: usize,
    ) -> Response<Body> {
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let asked = Asked::read(&head.method, &head.uri, prefix);
        let labels = asked.labels(cluster, &head);
        let warnings = Warnings::default();
        let accepts_gzip = gzip::accepted(&head.headers);
        let audit_id = headers::audit_id(&head.headers);
        let received = Received {
            asked: &asked,
            labels: &labels,
            warnings: &warnings,
            head,
            body,
        };
        let mut response = self.answer(cluster, peer, received).await;
        headers::finish(&mut response, &warnings, audit_id);
        if accepts_gzip && !asked.is_watch() {
            response = gzip::apply(response);
        }
        let size = response.body().exact_len();
        cluster
            .metrics
            .answered(labels, response.status().as_u16(), began.elapsed(), size);
        response
    }

    async fn answer(&self, cluster: &ClusterApi, peer: &Peer, mut received: Received<'_>) -> Response<Body> {
        let (asked, head) = (received.asked, &mut received.head);
        let encoding = failure_encoding(&head.headers, &asked.query);
        let now = Timestamp::now();
        let user = match who(cluster, peer, asked, head, now).await {
            Ok(user) => user,
            Err(refused) => return refused.answer(encoding),
        };
        let ticket = self.ticket(cluster, &user, asked);
        let payload = Payload {
            extensions: std::mem::take(&mut head.extensions),
            body: received.body,
        };
        let cx = Cx {
            server: self,
            cluster,
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            target: &asked.target,
            verb: asked.verb,
            query: &asked.query,
            user: &user,
            warnings: received.warnings,
            labels: received.labels,
            now,
            stop: payload.extensions.get::<Stop>().cloned(),
        };
        let answered = self.in_time(&cx, asked, ticket.as_ref(), payload).await;
        let mut response = answered.unwrap_or_else(|refused| match refused {
            Refused::Status(status) => answer::failure(&status, cx.failure_encoding()),
            refused => refused.answer(encoding),
        });
        if let Some(ticket) = &ticket {
            headers::classified(&mut response, &ticket.classified);
        }
        response
    }

    /// Where fairness puts a request; streams but for watches are not its business.
    fn ticket(&self, cluster: &ClusterApi, user: &UserInfo, asked: &Asked) -> Option<Ticket> {
        if asked.is_long_running() && !asked.is_watch() {
            return None;
        }
        let digest = Digest {
            user,
            asked: &asked.attributes(),
            objects: asked.objects(cluster),
        };
        let now = cluster.registry.store().snapshot();
        Some(cluster.fairness.classify(&self.flow_rules, &now, &digest))
    }

    /// Waits for a seat and answers, both within the request's time.
    async fn in_time(
        &self,
        cx: &Cx<'_>,
        asked: &Asked,
        ticket: Option<&Ticket>,
        payload: Payload,
    ) -> Result<Response<Body>, Refused> {
        let work = async {
            // Held until the answer, or the watch, has begun.
            let _seat = match ticket {
                Some(ticket) => Some(ticket.seat().await.map_err(|_| Refused::Busy)?),
                None => None,
            };
            authorize(cx, &asked.attributes())?;
            caught(dispatch(cx, asked, payload))
                .await
                .map_err(Refused::Status)
        };
        if asked.is_long_running() {
            return work.await;
        }
        let is_mutating = !matches!(*cx.method, Method::GET | Method::HEAD);
        let timeout = timeout(cx.query).map_err(Refused::Status)?;
        let _running = cx.cluster.metrics.inflight(is_mutating);
        tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
            cx.cluster.metrics.timeouts.fetch_add(1, Ordering::Relaxed);
            Err(Refused::Status(answer::timed_out()))
        })
    }

    /// A different number of milliseconds below `span` each time.
    pub(crate) fn jitter(&self, span: Duration) -> u64 {
        let next = self.seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        (next ^ (next >> 29)) % span
    }
}

async fn dispatch(cx: &Cx<'_>, asked: &Asked, payload: Payload) -> Result<Response<Body>, Status> {
    match &asked.target {
        Target::Resource(path) => resource::answer(cx, path, asked.verb, payload).await,
        Target::Path(path) => nonresource::answer(cx, path),
    }
}

/// Why a request is not answered by a verb.
enum Refused {
    /// By whatever looked at it.
    Status(Status),
    /// By the rights of its user.
    Forbidden(Status),
    /// By fairness.
    Busy,
}

impl Refused {
    fn answer(self, encoding: Encoding) -> Response<Body> {
        match self {
            Self::Status(status) => answer::failure(&status, encoding),
            Self::Forbidden(status) => answer::forbidden(&status, encoding),
            Self::Busy => too_many(),
        }
    }
}

/// 429 as upstream's filter says it, which is not a `Status`.
fn too_many() -> Response<Body> {
    let text = "Too many requests, please try again later.\n";
    let mut response = answer::text(StatusCode::TOO_MANY_REQUESTS, text);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}

/// Who asks, impersonation included.
async fn who(
    cluster: &ClusterApi,
    peer: &Peer,
    asked: &Asked,
    head: &request::Parts,
    now: Timestamp,
) -> Result<UserInfo, Refused> {
    let authorization = head
        .headers
        .get(header::AUTHORIZATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let certificate = cluster.identify(peer, now);
    let facts = RequestFacts {
        certificate: &certificate,
        authorization: authorization.as_deref(),
        path: match &asked.target {
            Target::Path(path) => path,
            Target::Resource(_) => head.uri.path(),
        },
        now,
    };
    let user = cluster.access.authenticate(&facts).await;
    cluster.metrics.authentication.count(user.is_ok());
    let user = user.map_err(Refused::Status)?;
    let Some(wanted) = impersonation(head).map_err(Refused::Forbidden)? else {
        return Ok(user);
    };
    let acting = cluster.access.impersonate(&user, &wanted, &asked.attributes());
    acting.map(|(user, _)| user).map_err(Refused::Forbidden)
}

fn impersonation(head: &request::Parts) -> Result<Option<Impersonation>, Status> {
    let mut names = head.headers.keys();
    if !names.any(|name| name.as_str().starts_with("impersonate-")) {
        return Ok(None);
    }
    // Names outside ASCII count too: dropping one would leave the request to the caller's own rights.
    let headers: Vec<(&str, Cow<'_, str>)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    Impersonation::from_headers(headers.iter().map(|(name, value)| (*name, value.as_ref())))
}

fn authorize(cx: &Cx<'_>, asked: &Attributes<'_>) -> Result<(), Refused> {
    let allowed = cx.cluster.access.authorize(cx.user, asked);
    cx.cluster.metrics.authorization.count(allowed.is_ok());
    allowed.map_err(Refused::Forbidden)
}

/// `?timeout=`, no longer than upstream lets it be.
fn timeout(query: &Query) -> Result<Duration, Status> {
    match query.text("timeout") {
        "" => Ok(TIMEOUT),
        text => crate::duration::parse(text)
            .map(|asked| {
                if asked.is_zero() {
                    TIMEOUT
                } else {
                    asked.min(TIMEOUT)
                }
            })
            .ok_or_else(|| {
                Status::bad_request(format!(
                    "invalid timeout specified in the request URL - time: invalid duration {text:?}"
                ))
            }),
    }
}

/// What a request gets that no cluster is found for.
pub(crate) fn unrouted(status: &Status) -> Response<Body> {
    let mut response = answer::failure(status, Encoding::Json);
    headers::finish_unrouted(&mut response);
    debug_assert_ne!(response.status(), StatusCode::OK);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_go_durations() {
        assert_eq!(timeout(&Query::parse(Some("timeout=1m30s"))).unwrap(), TIMEOUT);
        assert_eq!(
            timeout(&Query::parse(Some("timeout=250ms"))).unwrap(),
            Duration::from_millis(250)
        );
        let refused = timeout(&Query::parse(Some("timeout=soon"))).unwrap_err();
        assert_eq!(
            refused.message(),
            "invalid timeout specified in the request URL - time: invalid duration \"soon\""
        );
    }
}
