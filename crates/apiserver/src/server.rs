//! `ApiServer`: the way of a request. One for all clusters of a process; what it keeps is shared and bounded.
//!
//! The order: who (authentication, impersonation) → what (path) → may they → fair admission → the verb.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, request};
use jiff::Timestamp;
use warren_access::{Attributes, Impersonation, RequestFacts};
use warren_apimachinery::{Status, UserInfo};
use warren_registry::Warnings;
use warren_telemetry::metrics::{ApiMetrics, RequestLabels};

use crate::accept::Encoding;
use crate::answer;
use crate::body::Body;
use crate::cluster::ClusterApi;
use crate::cx::{Cx, Payload};
use crate::discovery::Documents;
use crate::gzip;
use crate::nonresource;
use crate::openapi;
use crate::path::{self, ResourcePath, Target};
use crate::query::Query;
use crate::resource;
use crate::route::{Peer, Stop};
use crate::selection;
use crate::unwind::caught;

/// How long a request may take that is neither a watch nor a stream.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Answers the requests of all clusters.
#[derive(Default)]
pub struct ApiServer {
    pub(crate) metrics: ApiMetrics,
    pub(crate) documents: Documents,
    pub(crate) openapi: openapi::Documents,
    /// Makes the lives of watches differ, so that they do not all come again at once.
    seed: AtomicU64,
}

/// A request, read as far as its path says.
struct Asked {
    target: Target,
    verb: &'static str,
    query: Query,
}

impl Asked {
    fn read(method: &Method, uri: &Uri, prefix: usize) -> Self {
        let path = uri
            .path()
            .get(prefix..)
            .filter(|path| !path.is_empty())
            .unwrap_or("/");
        let query = Query::parse(uri.query());
        let target = path::parse(path);
        let verb = match &target {
            Target::Resource(path) => path::verb(method, path, &query),
            Target::Path(_) => lower(method),
        };
        Self { target, verb, query }
    }

    fn is_long_running(&self) -> bool {
        match &self.target {
            Target::Resource(path) => {
                self.verb == "watch"
                    || matches!(
                        path.subresource.as_str(),
                        "log" | "exec" | "attach" | "portforward" | "proxy"
                    )
            }
            Target::Path(_) => false,
        }
    }
}

fn lower(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::OPTIONS => "options",
        _ => "",
    }
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
        let warnings = Warnings::default();
        let accepts_gzip = gzip::accepted(&head.headers);
        let labels = labels(cluster, &asked, &head.method);
        let answered = self.answer(cluster, peer, &asked, &warnings, (head, body)).await;
        let mut response = match answered {
            Ok(response) => response,
            Err((status, encoding)) => answer::failure(&status, encoding),
        };
        finish(&mut response, &warnings);
        if accepts_gzip && asked.verb != "watch" {
            response = gzip::apply(response);
        }
        self.metrics
            .answered(labels, response.status().as_u16(), began.elapsed());
        response
    }

    async fn answer(
        &self,
        cluster: &ClusterApi,
        peer: &Peer,
        asked: &Asked,
        warnings: &Warnings,
        (mut head, body): (request::Parts, Body),
    ) -> Result<Response<Body>, (Status, Encoding)> {
        let plain = |status| (status, Encoding::Json);
        let now = Timestamp::now();
        let user = authenticate(cluster, peer, &head, now).map_err(plain)?;
        authorize(cluster, &user, asked).map_err(plain)?;
        let payload = Payload {
            extensions: std::mem::take(&mut head.extensions),
            body,
        };
        let cx = Cx {
            server: self,
            cluster,
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            query: &asked.query,
            user: &user,
            warnings,
            now,
            stop: payload.extensions.get::<Stop>().cloned(),
        };
        let encoding = cx.accepted().map_or(Encoding::Json, |accepted| accepted.encoding);
        self.in_time(&cx, asked, payload)
            .await
            .map_err(|status| (status, encoding))
    }

    /// Waits for a turn and answers, both within the request's time.
    async fn in_time(&self, cx: &Cx<'_>, asked: &Asked, payload: Payload) -> Result<Response<Body>, Status> {
        if asked.is_long_running() {
            return caught(dispatch(cx, asked, payload)).await;
        }
        let mutating = !matches!(*cx.method, Method::GET | Method::HEAD);
        let timeout = timeout(cx.query)?;
        let _running = self.metrics.inflight(mutating);
        let work = async {
            let _turn = cx.cluster.fairness.turn().await?;
            caught(dispatch(cx, asked, payload)).await
        };
        tokio::time::timeout(timeout, work)
            .await
            .unwrap_or_else(|_| Err(answer::timed_out()))
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

fn authenticate(
    cluster: &ClusterApi,
    peer: &Peer,
    head: &request::Parts,
    now: Timestamp,
) -> Result<UserInfo, Status> {
    let authorization = head
        .headers
        .get(header::AUTHORIZATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let certificate = cluster.identify(peer, now);
    let is_impersonating = head
        .headers
        .keys()
        .any(|name| name.as_str().starts_with("impersonate-"));
    let impersonation = if is_impersonating {
        // Names outside ASCII count too: dropping one would leave the request to the caller's own rights.
        let headers: Vec<(&str, Cow<'_, str>)> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
            .collect();
        Impersonation::from_headers(headers.iter().map(|(name, value)| (*name, value.as_ref())))?
    } else {
        None
    };
    cluster.access.authenticate(&RequestFacts {
        certificate: &certificate,
        authorization: authorization.as_deref(),
        impersonation: impersonation.as_ref(),
        now,
    })
}

fn authorize(cluster: &ClusterApi, user: &UserInfo, asked: &Asked) -> Result<(), Status> {
    match &asked.target {
        Target::Path(path) => cluster
            .access
            .authorize(user, &Attributes::path(asked.verb, path)),
        Target::Resource(path) => {
            let selected = match asked.verb {
                "list" | "watch" | "deletecollection" if path.name.is_empty() => {
                    selection::exact_name(&asked.query)
                }
                _ => None,
            };
            let name = selected.as_deref().unwrap_or(&path.name);
            cluster
                .access
                .authorize(user, &attributes(path, asked.verb, name))
        }
    }
}

fn attributes<'a>(path: &'a ResourcePath, verb: &'a str, name: &'a str) -> Attributes<'a> {
    Attributes {
        verb,
        group: &path.group,
        version: &path.version,
        resource: &path.resource,
        subresource: &path.subresource,
        namespace: &path.namespace,
        name,
        path: "",
    }
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

/// The headers of every answer.
fn finish(response: &mut Response<Body>, warnings: &Warnings) {
    let headers = response.headers_mut();
    let audit = uuid::Uuid::new_v4().hyphenated().to_string();
    if let Ok(value) = HeaderValue::try_from(audit) {
        headers.insert("audit-id", value);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    for warning in warnings.take() {
        if let Ok(value) = HeaderValue::try_from(warning_header(&warning)) {
            headers.append(header::WARNING, value);
        }
    }
}

/// `299 - "text"`, with quotes and backslashes escaped and control characters left out.
fn warning_header(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 10);
    out.push_str("299 - \"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn labels(cluster: &ClusterApi, asked: &Asked, method: &Method) -> RequestLabels {
    let Target::Resource(path) = &asked.target else {
        return RequestLabels {
            verb: upper(lower(method)),
            ..RequestLabels::default()
        };
    };
    let verb = upper(asked.verb);
    let catalogue = cluster.registry.catalogue();
    let known = catalogue
        .served(&path.group, &path.version, &path.resource)
        .filter(|(definition, _)| {
            path.subresource.is_empty() || definition.subresource(&path.subresource).is_some()
        });
    let Some((definition, _)) = known else {
        return RequestLabels {
            verb,
            ..RequestLabels::default()
        };
    };
    if catalogue
        .custom()
        .any(|custom| std::sync::Arc::ptr_eq(custom, definition))
    {
        return RequestLabels {
            verb,
            resource: "customresources".to_owned(),
            ..RequestLabels::default()
        };
    }
    RequestLabels {
        verb,
        group: path.group.to_string(),
        version: path.version.to_string(),
        resource: path.resource.to_string(),
        subresource: path.subresource.to_string(),
        scope: match (path.name.is_empty(), path.namespace.is_empty()) {
            (false, _) => "resource",
            (true, false) => "namespace",
            (true, true) => "cluster",
        },
    }
}

/// The verb as metrics name it.
fn upper(verb: &'static str) -> &'static str {
    match verb {
        "get" | "head" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" | "post" => "POST",
        "update" | "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        _ => "OTHER",
    }
}

/// What a request gets that no cluster is found for.
pub(crate) fn unrouted(status: &Status) -> Response<Body> {
    let mut response = answer::failure(status, Encoding::Json);
    finish(&mut response, &Warnings::default());
    debug_assert_ne!(response.status(), StatusCode::OK);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_quoted_for_the_header() {
        assert_eq!(
            warning_header("unknown field \"spec.x\"\n"),
            r#"299 - "unknown field \"spec.x\"""#
        );
    }

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
