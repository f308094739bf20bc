//! LIST: the stored bytes of many objects between a head and a tail. Which objects those are says `page`.
//!
//! Items of built-in kinds are without their `apiVersion` and `kind`, as upstream's: both stand first in the stored
//! bytes, so that leaving them out is no more than a later beginning of the same slice.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};
use warren_apimachinery::object::json_prefix;
use warren_apimachinery::{Object, Status, StatusReason};

use crate::accept::{Accepted, Encoding, Offer, Shape};
use crate::answer;
use crate::body::{Body, opening};
use crate::cx::{Cx, Served};
use crate::options::{ListOptions, Of};
use crate::page::{Page, Refusal};
use crate::protobuf;
use crate::selection::Selectors;
use crate::table::Printer;

/// The items of a page in the version that the client speaks, and what its metadata says.
struct Answers {
    items: Vec<Bytes>,
    metadata: Map<String, Value>,
}

/// # Errors
/// What the client reads.
pub(crate) async fn objects(cx: &Cx<'_>, served: &Served<'_>) -> Result<Response<Body>, Status> {
    let accepted = cx.accepted()?;
    let options = ListOptions::read(cx.query, Of::List)?;
    let selectors = Selectors::read(cx.query, served.definition, &served.path.name)?;
    match Page::read(cx, served, &options, &selectors).await {
        Ok(page) => answered(cx, served, page, &accepted),
        Err(refusal) => refused(cx, refusal),
    }
}

/// The items of a list as they stand in it: custom resources keep their kind, as upstream keeps it.
fn bare(cx: &Cx<'_>, served: &Served<'_>, items: Vec<Bytes>) -> Vec<Bytes> {
    let definition = served.definition;
    if !cx
        .registry()
        .catalogue()
        .is_builtin(&definition.group, &definition.plural)
    {
        return items;
    }
    let prefix = json_prefix(&definition.kind, &definition.api_version(served.version()));
    let bare = |item: Bytes| {
        if item.starts_with(prefix.as_bytes()) {
            item.slice(prefix.len()..)
        } else {
            item
        }
    };
    items.into_iter().map(bare).collect()
}

/// Answers a page, also as what a deletion of a collection has taken.
///
/// # Errors
/// 406
pub(crate) fn answered(
    cx: &Cx<'_>,
    served: &Served<'_>,
    page: Page,
    accepted: &Accepted,
) -> Result<Response<Body>, Status> {
    let answer = |object: &Arc<Object>| cx.registry().answer(served.definition, served.version(), object);
    let page = Answers {
        items: page.objects.iter().map(answer).collect(),
        metadata: page.metadata,
    };
    if accepted.encoding == Encoding::Protobuf {
        return protobuf_list(served, &page, &accepted.shape);
    }
    let kind = &served.definition.kind;
    let (kind, api_version, items) = match accepted.shape {
        Shape::Whole => (
            format!("{kind}List"),
            served.definition.api_version(served.version()),
            bare(cx, served, page.items),
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
    let mut metadata = page.metadata;
    if accepted.shape == Shape::Whole && cx.offer() == Offer::Custom {
        // Upstream's untyped lists always have one.
        metadata.entry("continue").or_insert_with(|| "".into());
    }
    let head = format!(
        r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{},"items":["#,
        Value::Object(metadata)
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
    for (at, item) in items.iter().enumerate() {
        bytes.extend_from_slice(if at > 0 { b"," } else { b"" });
        bytes.extend_from_slice(opening(item));
        bytes.extend_from_slice(item);
    }
    bytes.extend_from_slice(&tail);
    answer::encoded(bytes.into(), accepted.encoding, StatusCode::OK)
}

/// A list in protobuf, transcoded item by item.
fn protobuf_list(served: &Served<'_>, page: &Answers, shape: &Shape) -> Result<Response<Body>, Status> {
    let (kind, api_version) = match shape {
        Shape::Metadata(version) => (
            "PartialObjectMetadataList".to_owned(),
            format!("meta.k8s.io/{version}"),
        ),
        _ => (
            format!("{}List", served.definition.kind),
            served.definition.api_version(served.version()),
        ),
    };
    // `PartialObjectMetadata` has no more than the object's metadata, under the same number as anywhere.
    let items = page.items.iter().map(AsRef::as_ref);
    let metadata = Value::Object(page.metadata.clone());
    let bytes = protobuf::list(&api_version, &kind, &metadata, items).ok_or_else(answer::not_protobuf)?;
    let content_type = Encoding::Protobuf.content_type();
    Ok(answer::with(StatusCode::OK, content_type, Body::full(bytes)))
}

/// Why a list cannot be answered.
///
/// # Errors
/// What the client reads; but a 410 with a token is an answer of its own.
pub(crate) fn refused(cx: &Cx<'_>, refusal: Refusal) -> Result<Response<Body>, Status> {
    match refusal {
        Refusal::Plain(status) => Err(status),
        Refusal::Continuable(status, token) => continuable(cx, &status, &token),
    }
}

/// A 410 whose metadata carries a token.
fn continuable(cx: &Cx<'_>, status: &Status, token: &str) -> Result<Response<Body>, Status> {
    debug_assert!(status.is(StatusReason::Expired));
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("continue".to_owned(), token.into());
    }
    answer::encoded(answer::json(&value), cx.failure_encoding(), StatusCode::GONE)
}
