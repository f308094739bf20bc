//! What all writes share: the decoded body and the registry's request.

use std::time::Instant;

use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::Value;
use warren_access::Attributes;
use warren_apimachinery::{Decoded, Status};
use warren_reconciler::Part;
use warren_registry::{LONGEST_WRITE, Request, Written};

use crate::answer;
use crate::body::Body;
use crate::content;
use crate::cx::{Cx, Served};
use crate::duration;
use crate::get::is_own_kind;
use crate::options::WriteOptions;

pub(crate) fn agent<'a>(cx: &Cx<'a>) -> Option<&'a str> {
    cx.header(header::USER_AGENT)
}

/// Reads and parses an object of `kind`.
///
/// # Errors
/// 400, 413, 415 in upstream's words.
pub(crate) async fn body(cx: &Cx<'_>, body: Body, kind: &str) -> Result<Sent, Status> {
    let media = content::object_media(cx.header(header::CONTENT_TYPE))?;
    let bytes = content::read(body).await?;
    let Decoded { value, duplicates } = content::object(&bytes, media, kind)?;
    let json = match media {
        content::Media::Json => bytes,
        content::Media::Yaml | content::Media::Protobuf => Bytes::new(),
    };
    Ok(Sent {
        value,
        duplicates,
        json,
    })
}

/// A body.
pub(crate) struct Sent {
    /// What it says.
    pub(crate) value: Value,
    /// The keys that stand twice in it, in upstream's words.
    pub(crate) duplicates: Vec<String>,
    /// Itself, where it is JSON.
    pub(crate) json: Bytes,
}

impl Sent {
    /// The registry's view of a write of it.
    pub(crate) fn request<'a>(
        &'a self,
        cx: &'a Cx<'_>,
        served: &'a Served<'_>,
        options: &'a WriteOptions,
    ) -> Request<'a> {
        Request {
            json: &self.json,
            ..request(cx, served, options, &self.duplicates)
        }
    }
}

/// The registry's view of a write.
pub(crate) fn request<'a>(
    cx: &'a Cx<'_>,
    served: &'a Served<'_>,
    options: &'a WriteOptions,
    duplicates: &'a [String],
) -> Request<'a> {
    Request {
        user: cx.user,
        field_manager: &options.field_manager,
        dry_run: options.dry_run,
        version: served.version(),
        field_validation: options.field_validation,
        duplicate_fields: duplicates,
        json: &[],
        warnings: cx.warnings,
        keeps: warren_registry::Keeps::StorageVersion,
        options: &options.object,
        deadline: deadline(cx),
    }
}

/// When the client stops waiting: by its own word, but never later than upstream's longest write.
fn deadline(cx: &Cx<'_>) -> Instant {
    let asked = cx.query.value("timeout").and_then(duration::parse);
    let asked = asked
        .filter(|timeout| !timeout.is_zero())
        .unwrap_or(LONGEST_WRITE);
    Instant::now() + asked.min(LONGEST_WRITE)
}

/// An apply, and a PUT of some kinds, makes what is not there: who does that must be allowed to create, too.
///
/// # Errors
/// 403 in upstream's words.
pub(crate) fn authorize_creation(cx: &Cx<'_>, served: &Served<'_>) -> Result<(), Status> {
    if cx.registry().find(served.definition, &served.key()).is_some() {
        return Ok(());
    }
    authorize_create(cx, served)
}

/// The right to create, whatever the request's own verb is.
///
/// # Errors
/// 403 in upstream's words.
pub(crate) fn authorize_create(cx: &Cx<'_>, served: &Served<'_>) -> Result<(), Status> {
    let path = served.path;
    cx.cluster.access.authorize(
        cx.user,
        &Attributes {
            verb: "create",
            group: &path.group,
            version: &path.version,
            resource: &path.resource,
            subresource: &path.subresource,
            namespace: &path.namespace,
            name: &path.name,
            path: "",
            fields: "",
        },
    )
}

/// What an update or patch answers.
///
/// # Errors
/// 406
pub(crate) fn written(
    cx: &Cx<'_>,
    served: &Served<'_>,
    part: Part,
    written: &Written,
) -> Result<http::Response<Body>, Status> {
    let code = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    if is_own_kind(part) {
        return answer::encoded(written.object.bytes(), cx.accepted()?.encoding, code);
    }
    answer::object(cx, served, &written.object, code)
}
