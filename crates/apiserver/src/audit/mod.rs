//! The audit log of a cluster: what was asked, by whom, and what came of it, by a policy file. Off unless a cluster has
//! one: then nothing here runs.
//!
//! Owns the policy, the events and the file. The server calls a `Record` at each step of a request.

mod event;
mod log;
mod policy;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, header, request};
use http_body::{Body as HttpBody, Frame};
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_access::Decision;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{UserInfo, time};
use warren_registry::Annotation;

use self::event::{AuthenticationMetadata, Event, ObjectRef, without_managed_fields};
pub use self::log::{AuditLog, Rotation};
pub use self::policy::Policy;
use self::policy::{Level, Stage, Verdict};
use crate::asked::Asked;
use crate::body::{Body, BodyError};
use crate::cluster::ClusterApi;
use crate::content;

/// What one cluster writes down, and where.
pub struct Auditor {
    /// What.
    pub policy: Policy,
    /// Where.
    pub log: AuditLog,
}

/// What is written of one request, as far as it is known.
pub(crate) struct Record {
    cluster: Arc<Auditor>,
    verdict: Verdict,
    event: Event,
    is_long_running: bool,
}

/// The start of a request, before anybody knows who asks.
pub(crate) struct Start<'a> {
    pub(crate) head: &'a request::Parts,
    pub(crate) asked: &'a Asked,
    pub(crate) audit_id: &'a str,
    pub(crate) from: IpAddr,
    pub(crate) now: Timestamp,
}

impl Record {
    /// Begins the record of a request; `None` when the cluster has no log or its policy does not want this one.
    pub(crate) fn begin(cluster: &ClusterApi, start: &Start<'_>, user: Option<&UserInfo>) -> Option<Self> {
        let auditor = cluster.auditor.as_ref()?;
        let attributes = start.asked.attributes();
        let verdict = auditor.policy.verdict(user, &attributes);
        if verdict.level == Level::None {
            return None;
        }
        let text = |name: header::HeaderName| {
            let value = start.head.headers.get(name);
            value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let event = Event {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: verdict.level.as_str(),
            audit_id: start.audit_id.to_owned(),
            request_uri: start
                .head
                .uri
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            verb: start.asked.verb,
            user: user.cloned().unwrap_or_default(),
            source_ips: vec![start.from.to_string()],
            user_agent: text(header::USER_AGENT).unwrap_or_default(),
            object_ref: ObjectRef::of(&attributes),
            request_received_timestamp: time::format_micro(start.now),
            ..Event::default()
        };
        Some(Self {
            cluster: Arc::clone(auditor),
            verdict,
            event,
            is_long_running: start.asked.is_long_running(),
        })
    }

    /// Stage `RequestReceived`.
    pub(crate) async fn received(&mut self, cluster: &ClusterApi) {
        self.emit(cluster, Stage::RequestReceived).await;
    }

    /// The user acts as another one.
    pub(crate) fn impersonated(&mut self, user: &UserInfo, constraint: &'static str) {
        self.event.impersonated_user = Some(user.clone());
        if !constraint.is_empty() {
            self.event.authentication_metadata = Some(AuthenticationMetadata {
                impersonation_constraint: constraint,
            });
        }
    }

    /// What authorisation decided.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        let (word, reason) = match decision {
            Decision::Allow(reason) => ("allow", reason),
            Decision::NoOpinion(reason) => ("forbid", reason),
        };
        let annotations = &mut self.event.annotations;
        annotations.insert("authorization.k8s.io/decision".into(), word.to_owned());
        annotations.insert("authorization.k8s.io/reason".into(), reason.clone());
    }

    /// Whether the body of the request is wanted.
    pub(crate) fn wants_request(&self) -> bool {
        matches!(
            self.event.verb,
            "create" | "update" | "patch" | "delete" | "deletecollection"
        ) && !self.is_long_running
    }

    /// The body of the request.
    pub(crate) fn request(&mut self, bytes: &[u8], content_type: Option<&str>) {
        let Some(object) = parsed(bytes, content_type) else {
            return;
        };
        if let (Some(about), "create" | "update") = (&mut self.event.object_ref, self.event.verb) {
            about.complete(&object);
        }
        if self.verdict.level >= Level::Request {
            self.event.request_object = Some(self.shown(object));
        }
    }

    fn shown(&self, object: Value) -> Value {
        if self.verdict.omits_managed_fields {
            without_managed_fields(object)
        } else {
            object
        }
    }

    /// Nobody knows who asked: upstream writes this when the answer begins, and nothing else.
    pub(crate) async fn unauthenticated(mut self, cluster: &ClusterApi, head: &request::Parts) {
        let authorization = head.headers.get(header::AUTHORIZATION);
        let attempted = authorization
            .and_then(|value| value.to_str().ok()?.split(' ').next())
            .unwrap_or("no credentials");
        self.event.response_status = Some(json!({
            "metadata": {}, "status": "Failure", "reason": "Unauthorized", "code": 401,
            "message": format!("Authentication failed, attempted: {attempted}"),
        }));
        self.emit(cluster, Stage::ResponseStarted).await;
    }

    /// What admission has to say of the request; the first of a key stays.
    pub(crate) fn admitted(&mut self, annotations: Vec<Annotation>) {
        let in_detail = self.verdict.level >= Level::Request;
        for told in annotations
            .into_iter()
            .filter(|told| in_detail || !told.in_detail)
        {
            self.event
                .annotations
                .entry(told.key.into())
                .or_insert(told.value);
        }
    }

    /// The answer is ready: its last stage is written now, or when a stream ends.
    pub(crate) async fn answered(mut self, cluster: &ClusterApi, response: Response<Body>) -> Response<Body> {
        let whole = response.body().whole();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let is_failure = response.status().as_u16() >= 400;
        let wants_object = self.verdict.level == Level::RequestResponse && !self.is_long_running;
        let object = whole
            .filter(|_| is_failure || wants_object)
            .and_then(|bytes| parsed(&bytes, Some(content_type)));
        self.event.response_status = Some(status(response.status().as_u16(), object.as_ref()));
        if wants_object {
            self.event.response_object = object.map(|object| self.shown(object));
        }
        if !self.is_long_running {
            self.emit(cluster, Stage::ResponseComplete).await;
            return response;
        }
        self.emit(cluster, Stage::ResponseStarted).await;
        response.map(|inner| Body::stream(Streamed { inner, record: self }))
    }

    async fn emit(&mut self, cluster: &ClusterApi, stage: Stage) {
        let Some(line) = self.line(stage) else { return };
        let written = self.cluster.log.write(line).await;
        let metrics = &cluster.metrics;
        let counter = if written {
            &metrics.audit_events
        } else {
            &metrics.audit_failures
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn line(&mut self, stage: Stage) -> Option<Bytes> {
        if self.verdict.omitted.contains(&stage) {
            return None;
        }
        self.event.stage = stage.as_str();
        self.event.stage_timestamp = time::format_micro(Timestamp::now());
        Some(self.event.line())
    }
}

/// An object of whatever form, for the log; `None` when it is none.
fn parsed(bytes: &[u8], content_type: Option<&str>) -> Option<Value> {
    let media = content::object_media(content_type).unwrap_or(content::Media::Json);
    if bytes.is_empty() {
        return None;
    }
    match content::document(bytes, media) {
        Ok(decoded) => Some(decoded.value),
        // A JSON patch is a list.
        Err(_) => serde_json::from_slice(bytes).ok(),
    }
}

/// The status of an answer: of a failure also why.
fn status(code: u16, object: Option<&Value>) -> Value {
    let mut status = json!({"metadata": {}, "code": code});
    if let Some(object) = object.filter(|object| object.text("/kind") == "Status") {
        for field in ["status", "message", "reason", "details"] {
            let value = object.field(field);
            if !value.is_null() {
                status.set(&format!("/{field}"), value.clone());
            }
        }
    }
    status
}

/// A stream whose end is written down, whichever side ends it.
struct Streamed {
    inner: Body,
    record: Record,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if let Some(line) = self.record.line(Stage::ResponseComplete) {
            self.record.cluster.log.write_now(line);
        }
    }
}
