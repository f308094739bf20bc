//! LIST: the stored bytes of many objects between a head and a tail, whole or in pages of one revision.
//!
//! Items keep their `apiVersion` and `kind`, which upstream leaves out of lists of built-in kinds: leaving them in
//! costs no parsing, and clients read both.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};
use warren_apimachinery::{Object, ObjectKey, Revision, Status, StatusReason};
use warren_storage::Snapshot;

use crate::accept::{Accepted, Encoding, Shape};
use crate::answer;
use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::get::too_large;
use crate::options::{ListOptions, Match};
use crate::pages::Continue;
use crate::selection::Selectors;
use crate::table::Printer;

/// What a client reads whose continue token is too old.
const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// A page: its items in the version that the client speaks, and what its metadata says.
struct Page {
    items: Vec<Bytes>,
    metadata: Map<String, Value>,
}

/// # Errors
/// What the client reads.
pub(crate) fn objects(cx: &Cx<'_>, served: &Served<'_>) -> Result<Response<Body>, Status> {
    let accepted = cx.accepted()?;
    let options = ListOptions::read(cx.query, false)?;
    let selectors = Selectors::read(cx.query, served.definition, "")?;
    let (snapshot, after) = match start(cx, served, &options) {
        Ok(start) => start,
        Err(Refusal::Plain(status)) => return Err(status),
        Err(Refusal::Continuable(status, token)) => return Ok(continuable(&status, &token)),
    };
    let page = page(cx, served, &options, &selectors, &snapshot, after);
    answered(cx, served, page, &accepted)
}

/// Why a list cannot start.
enum Refusal {
    Plain(Status),
    /// 410 with a token that goes on without consistency.
    Continuable(Status, String),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Plain(status)
    }
}

/// The state to list, and the key to go on behind.
fn start(
    cx: &Cx<'_>,
    served: &Served<'_>,
    options: &ListOptions,
) -> Result<(Snapshot, Option<ObjectKey>), Refusal> {
    let current = cx.registry().store().snapshot();
    if !options.continues.is_empty() {
        let token = Continue::decode(&options.continues)?;
        let after = within(token.after, served);
        let Some(revision) = token.revision else {
            return Ok((current, Some(after)));
        };
        return match cx.cluster.pages.at(revision, current) {
            Some(snapshot) => Ok((snapshot, Some(after))),
            None => {
                let token = Continue {
                    revision: None,
                    after,
                };
                Err(Refusal::Continuable(Status::expired(TOO_OLD), token.encode()))
            }
        };
    }
    let Some(asked) = options.revision.filter(|revision| *revision != Revision::ZERO) else {
        return Ok((current, None));
    };
    if asked > current.revision() {
        return Err(too_large(asked, current.revision()).into());
    }
    let exact = options.matching == Match::Exact || (options.matching == Match::Unset && options.limit > 0);
    if !exact {
        return Ok((current, None));
    }
    let snapshot = cx
        .cluster
        .pages
        .at(asked, current)
        .ok_or_else(|| Status::expired("The resourceVersion for the provided list is too old."))?;
    Ok((snapshot, None))
}

/// A token's key, within the collection that is listed: of one namespace it holds the name alone.
fn within(after: ObjectKey, served: &Served<'_>) -> ObjectKey {
    if after.namespace.is_empty() && !served.namespace().is_empty() {
        return ObjectKey::namespaced(served.namespace(), after.name);
    }
    after
}

fn page(
    cx: &Cx<'_>,
    served: &Served<'_>,
    options: &ListOptions,
    selectors: &Selectors,
    snapshot: &Snapshot,
    after: Option<ObjectKey>,
) -> Page {
    let storage = &served.definition.storage;
    let namespace = Some(served.namespace()).filter(|namespace| !namespace.is_empty());
    let answer = |object: &Object| cx.registry().answer(served.definition, served.version(), object);
    let mut metadata = Map::new();
    metadata.insert(
        "resourceVersion".to_owned(),
        snapshot.revision().to_string().into(),
    );
    let mut items = Vec::new();
    if let (Some(name), false, None) = (selectors.name(), served.namespace().is_empty(), &after) {
        let key = ObjectKey::namespaced(served.namespace(), name);
        let found = snapshot
            .get(storage, &key)
            .filter(|object| selectors.matches(object.meta()));
        items.extend(found.map(|object| answer(object)));
        return Page { items, metadata };
    }
    let everything = selectors.is_everything();
    let mut objects: Box<dyn Iterator<Item = _>> = match &after {
        Some(after) => Box::new(snapshot.list_from(storage, namespace, after)),
        None => Box::new(snapshot.list(storage, namespace)),
    };
    let limit = if options.limit == 0 {
        usize::MAX
    } else {
        options.limit
    };
    let mut last = None;
    for object in objects.by_ref() {
        if !everything && !selectors.matches(object.meta()) {
            continue;
        }
        if items.len() == limit {
            let token = Continue {
                revision: Some(snapshot.revision()),
                after: last.unwrap_or_else(|| ObjectKey::cluster("")),
            };
            metadata.insert("continue".to_owned(), token.encode().into());
            if everything {
                metadata.insert("remainingItemCount".to_owned(), (1 + objects.count()).into());
            }
            cx.cluster.pages.keep(snapshot);
            break;
        }
        if items.len() + 1 == limit {
            last = Some(object.key());
        }
        items.push(answer(object));
    }
    Page { items, metadata }
}

fn answered(
    cx: &Cx<'_>,
    served: &Served<'_>,
    page: Page,
    accepted: &Accepted,
) -> Result<Response<Body>, Status> {
    let kind = &served.definition.kind;
    let (kind, api_version, items) = match accepted.shape {
        Shape::Whole => (
            format!("{kind}List"),
            served.definition.api_version(served.version()),
            page.items,
        ),
        Shape::Metadata(version) => (
            "PartialObjectMetadataList".to_owned(),
            format!("meta.k8s.io/{version}"),
            page.items
                .iter()
                .map(|bytes| answer::partial(bytes, version))
                .collect(),
        ),
        Shape::Table(version) => {
            let metadata = Value::Object(page.metadata);
            let printer = Printer::new(cx, version)?;
            let table = printer.print(served.definition, &metadata, page.items.iter(), cx.now, true);
            return answer::encoded(table, accepted.encoding, StatusCode::OK);
        }
    };
    let head = format!(
        r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{},"items":["#,
        Value::Object(page.metadata)
    );
    let tail = Bytes::from_static(b"]}\n");
    if accepted.encoding == Encoding::Json {
        let body = Body::list(head.into(), items, tail);
        return Ok(answer::with(
            StatusCode::OK,
            accepted.encoding.content_type(),
            body,
        ));
    }
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&items.join(&b","[..]));
    bytes.extend_from_slice(&tail);
    answer::encoded(bytes.into(), accepted.encoding, StatusCode::OK)
}

/// The objects that a deletion of a collection answers with.
///
/// # Errors
/// 406
pub(crate) fn deleted<'a>(
    cx: &Cx<'_>,
    served: &Served<'_>,
    objects: impl Iterator<Item = &'a Object>,
) -> Result<Response<Body>, Status> {
    let accepted = cx.accepted()?;
    let mut metadata = Map::new();
    let revision = cx.registry().store().snapshot().revision();
    metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
    let items = objects
        .map(|object| cx.registry().answer(served.definition, served.version(), object))
        .collect();
    answered(cx, served, Page { items, metadata }, &accepted)
}

/// A 410 whose metadata carries a token.
fn continuable(status: &Status, token: &str) -> Response<Body> {
    debug_assert!(status.is(StatusReason::Expired));
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("continue".to_owned(), token.into());
    }
    answer::with(
        StatusCode::GONE,
        Encoding::Json.content_type(),
        Body::full(answer::json(&value)),
    )
}
