//! `ApiServer`: the way of a request. One for all clusters of a process; what it keeps is shared and bounded.
//!
//! The order: who (authentication, impersonation) → what (path) → may they → fair admission → the verb.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode, header, request};
use jiff::Timestamp;
use warren_apimachinery::{Status, UserInfo};
use warren_registry::Warnings;
use warren_telemetry::metrics::{RequestLabels, process};

use crate::accept::Encoding;
use crate::aggregation;
use crate::answer;
use crate::asked::Asked;
use crate::audit;
use crate::body::Body;
use crate::cluster::ClusterApi;
use crate::content;
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
use crate::watch::SharedFrames;
use crate::who;

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
    /// What watchers of the same objects share.
    pub(crate) frames: Arc<SharedFrames>,
    /// Makes the lives of watches differ, so that they do not all come again at once.
    seed: AtomicU64,
}

/// A request as it came, and what its head says.
struct Received<'a> {
    asked: &'a Asked,
    labels: &'a RequestLabels,
    warnings: &'a Warnings,
    audit_id: &'a str,
    head: request::Parts,
    body: Body,
}

impl ApiServer {
    /// A server without clusters: routes bring them.
    pub fn new() -> Self {
        // The first call decides what `process_start_time_seconds` and `/statusz` say.
        let _ = process::started();
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
            audit_id: audit_id.to_str().unwrap_or_default(),
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

    /// Finds out who asks, answers, and has it written down where the cluster wants that.
    async fn answer(&self, cluster: &ClusterApi, peer: &Peer, mut received: Received<'_>) -> Response<Body> {
        let (asked, head) = (received.asked, &received.head);
        let now = Timestamp::now();
        let user = who::authenticate(cluster, peer, asked, head, now).await;
        let start = audit::Start {
            head,
            asked,
            audit_id: received.audit_id,
            from: peer.hello.remote.ip(),
            now,
        };
        let mut record = audit::Record::begin(cluster, &start, user.as_ref().ok());
        let response = match user {
            Ok(user) => {
                if let Some(record) = &mut record {
                    record.received(cluster).await;
                }
                self.answer_to(cluster, &mut received, user, &mut record).await
            }
            Err(status) => {
                if let Some(record) = record.take() {
                    record.unauthenticated(cluster, head).await;
                }
                answer::failure(&status, failure_encoding(&head.headers, &asked.query))
            }
        };
        match record {
            Some(mut record) => {
                record.admitted(received.warnings.take_annotations());
                record.answered(cluster, response).await
            }
            None => response,
        }
    }

    /// Answers to a user that is known.
    async fn answer_to(
        &self,
        cluster: &ClusterApi,
        received: &mut Received<'_>,
        user: UserInfo,
        record: &mut Option<audit::Record>,
    ) -> Response<Body> {
        let asked = received.asked;
        let encoding = failure_encoding(&received.head.headers, &asked.query);
        let user = match who::acting(cluster, asked, &received.head, user, record.as_mut()) {
            Ok(user) => user,
            Err(status) => return answer::forbidden(&status, encoding),
        };
        let ticket = self.ticket(cluster, &user, asked);
        let payload = Payload {
            extensions: std::mem::take(&mut received.head.extensions),
            body: std::mem::take(&mut received.body),
        };
        let head = &received.head;
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
            now: Timestamp::now(),
            stop: payload.extensions.get::<Stop>().cloned(),
        };
        let admitted = Admitted {
            ticket: ticket.as_ref(),
            record,
            payload,
        };
        let answered = self.in_time(&cx, asked, admitted).await;
        let mut response = answered.unwrap_or_else(|refused| match refused {
            Refused::Status(status) => answer::failure(&status, cx.failure_encoding()),
            Refused::Forbidden(status) => answer::forbidden(&status, encoding),
            Refused::Busy => too_many(),
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
        request: Admitted<'_>,
    ) -> Result<Response<Body>, Refused> {
        let Admitted {
            ticket,
            record,
            mut payload,
        } = request;
        let work = async {
            // Held until the answer, or the watch, has begun.
            let _seat = match ticket {
                Some(ticket) => Some(ticket.seat().await.map_err(|_| Refused::Busy)?),
                None => None,
            };
            who::authorize(cx, &asked.attributes(), record.as_mut()).map_err(Refused::Forbidden)?;
            if let Some(record) = record.as_mut().filter(|record| record.wants_request()) {
                let bytes = content::read(payload.body).await.map_err(Refused::Status)?;
                record.request(&bytes, cx.header(header::CONTENT_TYPE));
                payload.body = Body::full(bytes);
            }
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
    if let Some(remote) = asked.remote(cx.cluster) {
        return aggregation::forward(cx, cx.cluster.backends.as_deref(), &remote, payload).await;
    }
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

/// A request on its way to its verb.
struct Admitted<'a> {
    ticket: Option<&'a Ticket>,
    record: &'a mut Option<audit::Record>,
    payload: Payload,
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

/// `?timeout=`, no longer than upstream lets it be.
fn timeout(query: &Query) -> Result<Duration, Status> {
    match query.text("timeout") {
        "" => Ok(TIMEOUT),
        // A negative one is no timeout of the client's, as upstream takes it.
        text => crate::duration::parse(text.trim_start_matches('-'))
            .map(|asked| {
                if asked.is_zero() || text.starts_with('-') {
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
