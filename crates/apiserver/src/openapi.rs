//! `/openapi/v2` and `/openapi/v3`: what the schema crate publishes of the catalogue.
//!
//! Documents are made when asked for and kept by the hash of what they describe, so that clusters which serve the
//! same share them; the cache is bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use jiff::SignedDuration;
use warren_apimachinery::{GroupVersionKind, Value};
use warren_registry::definition::{Definition, Version};
use warren_schema::Ref;
use warren_schema::openapi::{self, ResourceDoc, Shape, SubresourceDoc};

use crate::accept;
use crate::aggregation::{Published, merged};
use crate::answer;
use crate::body::Body;
use crate::cx::Cx;
use crate::discovery::groups;
use crate::nonresource::KUBERNETES_VERSION;

/// How many bytes of documents are kept.
const KEPT: usize = 12 * 1024 * 1024;
const JSON: &str = "application/json";

/// Documents by hash, the oldest first.
#[derive(Default)]
pub(crate) struct Documents(Mutex<VecDeque<(String, Bytes)>>);

impl Documents {
    fn find_or_make(&self, hash: &str, make: impl FnOnce() -> Vec<u8>) -> Bytes {
        if let Some(bytes) = self.find(hash) {
            return bytes;
        }
        // Made outside the lock: two clients may both make it, none waits for the other.
        let bytes = Bytes::from(make());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((hash.to_owned(), bytes.clone()));
        while kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > KEPT {
            kept.pop_front();
        }
        bytes
    }

    fn find(&self, hash: &str) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|(of, _)| of == hash)
            .map(|(_, bytes)| bytes.clone())
    }
}

/// How client-go asks for OpenAPI v2 in protobuf, and how upstream names what it answers.
const PROTOBUF: (&str, &str) = (
    "com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
);

/// `/openapi/v2`, as JSON or as client-go's protobuf.
pub(crate) fn v2(cx: &Cx<'_>) -> Response<Body> {
    let protobuf = wants_protobuf(cx);
    if !protobuf && !takes_json(cx) {
        return answer::nothing(StatusCode::NOT_ACCEPTABLE);
    }
    let catalogue = cx.registry().catalogue();
    let docs: Vec<ResourceDoc> = groups(&catalogue)
        .iter()
        .flat_map(|group| &group.versions)
        .flat_map(|(version, definitions)| documented(version, definitions))
        .collect();
    let (hash, others) = with_others(openapi::hash(&docs), published(cx));
    let make = || match others.as_slice() {
        [] => openapi::v2(&docs, release()),
        others => merged(&openapi::v2(&docs, release()), others).to_vec(),
    };
    let documents = &cx.server.openapi;
    if protobuf {
        let hash = openapi::hash_of(&format!("v2 in protobuf of {hash}"));
        let make = || openapi::v2_protobuf(&make());
        return document(cx, &hash, PROTOBUF.1, || documents.find_or_make(&hash, make));
    }
    let hash = openapi::hash_of(&format!("v2 of {hash}"));
    document(cx, &hash, JSON, || documents.find_or_make(&hash, make))
}

/// What other servers publish, by priority.
fn published(cx: &Cx<'_>) -> Vec<Arc<Published>> {
    let all = cx.cluster.aggregation().all();
    all.iter().filter_map(|known| known.published.clone()).collect()
}

/// The hash of the cluster's own document together with what others add to it.
fn with_others(own: String, others: Vec<Arc<Published>>) -> (String, Vec<Arc<Published>>) {
    let others: Vec<_> = others.into_iter().filter(|other| other.v2.is_some()).collect();
    if others.is_empty() {
        return (own, others);
    }
    let mut of = own;
    for other in &others {
        // A server that gives no tag is told apart by what it says.
        let content = other.v2.as_ref().filter(|_| other.etag.is_empty());
        let content = content.map(ToString::to_string).unwrap_or_default();
        of.push_str(&format!(" with {} {content}", other.etag));
    }
    (openapi::hash_of(&of), others)
}

fn wants_protobuf(cx: &Cx<'_>) -> bool {
    let clauses = accept::clauses(cx.accept().unwrap_or_default());
    let first = clauses.first();
    first.is_some_and(|clause| clause.main == "application" && clause.sub == PROTOBUF.0)
}

/// `/openapi/v3`: the documents that there are.
pub(crate) fn index(cx: &Cx<'_>) -> Response<Body> {
    if !takes_json(cx) {
        return answer::nothing(StatusCode::NOT_ACCEPTABLE);
    }
    let catalogue = cx.registry().catalogue();
    let mut listed: Vec<(String, String)> = openapi::V3_OTHERS
        .iter()
        .filter_map(|other| Some(((*other).to_owned(), fixed(cx, other)?.0)))
        .collect();
    for group in groups(&catalogue) {
        let root = format!("apis/{}", group.name);
        if let Some((hash, _)) = fixed(cx, &root) {
            listed.push((root, hash));
        }
        for (version, definitions) in &group.versions {
            let docs = documented(version, definitions);
            if !docs.is_empty() {
                listed.push((path(&group.name, version), openapi::hash(&docs)));
            }
        }
    }
    for other in published(cx) {
        for (path, hash) in &other.v3 {
            if listed.iter().all(|(known, _)| known != path) {
                listed.push((path.clone(), hash.clone()));
            }
        }
    }
    let pairs = listed.iter().map(|(path, hash)| (path.as_str(), hash.as_str()));
    let bytes = Bytes::from(openapi::index(pairs));
    // Upstream names no type here, and Go's server takes JSON for text.
    answer::with(StatusCode::OK, "text/plain; charset=utf-8", Body::full(bytes))
}

/// `/openapi/v3/{path}` of one group and version.
pub(crate) fn v3(cx: &Cx<'_>, asked: &str) -> Response<Body> {
    let catalogue = cx.registry().catalogue();
    let groups = groups(&catalogue);
    let found = groups.iter().find_map(|group| {
        let (version, definitions) = group
            .versions
            .iter()
            .find(|(version, _)| path(&group.name, version) == asked.trim_end_matches('/'))?;
        Some(documented(version, definitions))
    });
    let made = match found.filter(|docs| !docs.is_empty()) {
        Some(docs) => {
            let hash = openapi::hash(&docs);
            let bytes = cx
                .server
                .openapi
                .find_or_make(&hash, || openapi::v3(&docs, release()));
            Some((hash, bytes))
        }
        None => fixed(cx, asked.trim_end_matches('/')),
    };
    let Some((hash, bytes)) = made else {
        return answer::nothing(StatusCode::NOT_FOUND);
    };
    if !takes_json(cx) {
        return answer::nothing(StatusCode::NOT_ACCEPTABLE);
    }
    let wanted = cx.query.text("hash");
    let mut response = document(cx, &hash, JSON, || bytes);
    if wanted.is_empty() {
        return response;
    }
    if wanted != hash {
        return moved(response, asked, &hash);
    }
    // The address names the content, so it never changes.
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, immutable"),
    );
    let next_year = cx.now + SignedDuration::from_hours(365 * 24);
    let next_year = next_year.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
    if let Ok(next_year) = HeaderValue::try_from(next_year) {
        headers.insert(header::EXPIRES, next_year);
    }
    response
}

/// Sends a client whose address names content that is no more to the one that names what is.
fn moved(document: Response<Body>, asked: &str, hash: &str) -> Response<Body> {
    let mut response = document.map(|_| Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = format!("/openapi/v3/{asked}?hash={hash}");
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A document that is the same in every cluster: of a built-in group, or of no group. With its hash.
fn fixed(cx: &Cx<'_>, asked: &str) -> Option<(String, Bytes)> {
    let hash = openapi::hash_of(asked);
    let bytes = match asked.strip_prefix("apis/") {
        Some("") => return None,
        Some(group) => {
            let catalogue = cx.registry().catalogue();
            let mut known = catalogue.iter().filter(|definition| definition.group == group);
            known.find(|definition| catalogue.is_builtin(group, &definition.plural))?;
            let make = || openapi::v3_group(group, release());
            cx.server.openapi.find_or_make(&hash, make)
        }
        None => {
            let made = openapi::v3_other(asked, release())?;
            cx.server.openapi.find_or_make(&hash, || made)
        }
    };
    Some((hash, bytes))
}

/// `1.36`: documents are of a release, not of its patches.
fn release() -> &'static str {
    let version = KUBERNETES_VERSION.trim_start_matches('v');
    version.rsplit_once('.').map_or(version, |(release, _)| release)
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// A document, which is made only for a client that does not have it.
fn document(
    cx: &Cx<'_>,
    hash: &str,
    media_type: &'static str,
    bytes: impl FnOnce() -> Bytes,
) -> Response<Body> {
    let tag = HeaderValue::try_from(format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""));
    let known = cx
        .headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tags| *tags == tag);
    let mut response = if known {
        answer::nothing(StatusCode::NOT_MODIFIED)
    } else {
        answer::with(StatusCode::OK, media_type, Body::full(bytes()))
    };
    response.headers_mut().insert(header::ETAG, tag);
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// Whether the client takes JSON. One that does not gets 406 and no more.
fn takes_json(cx: &Cx<'_>) -> bool {
    let header = cx.accept().unwrap_or("*/*");
    accept::clauses(header).iter().any(|clause| {
        matches!(
            (clause.main, clause.sub),
            ("application", "json" | "*") | ("*", "*")
        ) || (clause.main == "application"
            && clause.sub.starts_with("com.github.proto-openapi.spec")
            && clause.sub.ends_with("+json"))
    })
}

/// What is published of the resources of one group and version.
fn documented(version: &str, definitions: &[&Arc<Definition>]) -> Vec<ResourceDoc> {
    definitions
        .iter()
        .filter_map(|definition| resource(definition.view(version), definition.version(version)?))
        .collect()
}

/// `None` for what is not to be published.
fn resource(definition: &Definition, version: &Version) -> Option<ResourceDoc> {
    let shape = match &version.schema {
        Ref::Named(name) => Shape::Builtin(name.clone()),
        Ref::Lazy(source) => Shape::Custom(Arc::clone(source)),
        Ref::Inline(_) => return None,
    };
    // Of no object: only the names are asked for.
    let fields = definition.strategy.fields(&Value::Null).into_iter();
    Some(ResourceDoc {
        kind: GroupVersionKind {
            group: definition.group.clone(),
            version: version.name.clone(),
            kind: definition.kind.clone(),
        },
        plural: definition.plural.clone(),
        namespaced: definition.is_namespaced(),
        verbs: definition.verbs.to_vec(),
        subresources: definition
            .subresources
            .iter()
            .map(|part| SubresourceDoc {
                name: part.name.clone(),
                kind: part.kind.clone(),
                verbs: part.verbs.to_vec(),
            })
            .collect(),
        selectable: match shape {
            Shape::Builtin(_) => Vec::new(),
            Shape::Custom(_) => fields.map(|(path, _)| path).collect(),
        },
        shape,
    })
}
