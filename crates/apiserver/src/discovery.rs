//! Discovery: which groups, versions and resources a cluster serves, in the aggregated and in the legacy form.
//!
//! Computed from the catalogue. The aggregated documents are kept as long as somebody holds the catalogue they are of,
//! so that clusters with the same catalogue share them.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::{GroupVersionKind, Status};
use warren_registry::Catalogue;
use warren_registry::definition::Definition;

use crate::accept::{self, Encoding, Offer};
use crate::aggregation::RemoteVersion;
use crate::answer;
use crate::body::Body;
use crate::cx::Cx;

mod legacy;

/// Documents of this many catalogues are kept.
const KEPT: usize = 64;

/// Aggregated documents by catalogue. Bounded; entries of dropped catalogues go first.
#[derive(Default)]
pub(crate) struct Documents(Mutex<Vec<(Weak<Catalogue>, Arc<Aggregated>)>>);

/// The aggregated documents of one catalogue.
pub(crate) struct Aggregated {
    core: Document,
    groups: Document,
}

struct Document {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Document {
    fn new(value: &Value) -> Self {
        let bytes = answer::json(value);
        let digest: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        Self {
            bytes,
            tag: HeaderValue::try_from(format!("\"{digest}\"")).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }
}

impl Aggregated {
    fn of(catalogue: &Catalogue, remote: &[Arc<RemoteVersion>]) -> Self {
        Self {
            core: Document::new(&aggregated(catalogue, remote, true)),
            groups: Document::new(&aggregated(catalogue, remote, false)),
        }
    }
}

impl Documents {
    fn of(&self, catalogue: &Arc<Catalogue>) -> Arc<Aggregated> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept
            .iter()
            .find(|(of, _)| of.as_ptr() == Arc::as_ptr(catalogue) && of.strong_count() > 0);
        if let Some((_, documents)) = found {
            return Arc::clone(documents);
        }
        let documents = Arc::new(Aggregated::of(catalogue, &[]));
        kept.retain(|(of, _)| of.strong_count() > 0);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((Arc::downgrade(catalogue), Arc::clone(&documents)));
        documents
    }
}

/// `/api` and `/apis`: aggregated when the client accepts it, else legacy.
///
/// # Errors
/// 406
pub(crate) fn root(cx: &Cx<'_>, core: bool) -> Result<Response<Body>, Status> {
    let catalogue = cx.registry().catalogue();
    let remote = cx.cluster.aggregation().all();
    let Some(encoding) = aggregated_encoding(cx) else {
        let document = if core {
            legacy::api_versions()
        } else {
            legacy::group_list(&with_remote(&catalogue, &remote))
        };
        let accepted = accept::object(cx.accept(), cx.wants_pretty(), Offer::Plain)?;
        let mut response = answer::encoded(document, accepted.encoding, StatusCode::OK)?;
        response
            .headers_mut()
            .insert(header::VARY, HeaderValue::from_static("Accept"));
        return Ok(response);
    };
    let documents = if remote.is_empty() {
        cx.server.documents.of(&catalogue)
    } else {
        Arc::new(Aggregated::of(&catalogue, &remote))
    };
    let document = if core { &documents.core } else { &documents.groups };
    let known = cx
        .headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags == document.tag);
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let bytes = answer::encode(document.bytes.clone(), encoding)?;
        answer::with(StatusCode::OK, aggregated_type(encoding), Body::full(bytes))
    };
    for (name, value) in [
        (header::ETAG, document.tag.clone()),
        (header::VARY, HeaderValue::from_static("Accept")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public")),
    ] {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// How the aggregated form is written; `None` when the best clause that is served asks for the legacy one.
fn aggregated_encoding(cx: &Cx<'_>) -> Option<Encoding> {
    for clause in accept::clauses(cx.accept().unwrap_or_default()) {
        let Some(encoding) = clause.encodings().first() else {
            continue;
        };
        match (
            clause.parameter("as"),
            clause.parameter("g"),
            clause.parameter("v"),
        ) {
            ("", "", "") => return None,
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => {
                let is_pretty = *encoding == Encoding::Json && cx.wants_pretty();
                return Some(if is_pretty { Encoding::Pretty } else { *encoding });
            }
            _ => {}
        }
    }
    None
}

/// The `Content-Type` of the aggregated form.
fn aggregated_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json | Encoding::Pretty => {
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        }
        Encoding::Yaml => "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        Encoding::Protobuf => {
            "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        }
    }
}

/// `/apis/{group}` and `/api/v1`, `/apis/{group}/{version}`; `None` when nobody serves it.
pub(crate) fn group_or_version(cx: &Cx<'_>, path: &str) -> Option<Result<Response<Body>, Status>> {
    let catalogue = cx.registry().catalogue();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let document = match parts.as_slice() {
        ["api", version] => legacy::resource_list(&catalogue, "", version)?,
        ["apis", group] => {
            let remote = cx.cluster.aggregation().all();
            let groups = with_remote(&catalogue, &remote);
            legacy::group(groups.iter().find(|g| g.name == *group)?)
        }
        ["apis", group, version] => legacy::resource_list(&catalogue, group, version)?,
        _ => return None,
    };
    let offer = match parts.as_slice() {
        ["api", version] => offer(&catalogue, "", version),
        ["apis", group, version] => offer(&catalogue, group, version),
        _ => Offer::Plain,
    };
    let accepted = accept::object(cx.accept(), cx.wants_pretty(), offer);
    Some(accepted.and_then(|accepted| answer::encoded(document, accepted.encoding, StatusCode::OK)))
}

/// Upstream's router knows the versions of built-in groups, and what they produce.
fn offer(catalogue: &Catalogue, group: &str, version: &str) -> Offer {
    let is_builtin = catalogue
        .iter()
        .filter(|definition| definition.group == group)
        .filter_map(|definition| definition.version(version))
        .any(|version| version.schema.is_builtin());
    if is_builtin { Offer::Builtin } else { Offer::Plain }
}

/// A served group: its versions, the preferred first, each with its resources.
pub(crate) struct Group<'a> {
    pub(crate) name: SmolStr,
    pub(crate) versions: Vec<(SmolStr, Vec<&'a Arc<Definition>>)>,
}

/// The groups in the order of the catalogue; those of custom resources come last and by name.
pub(crate) fn groups(catalogue: &Catalogue) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for definition in catalogue.iter() {
        let at = groups
            .iter()
            .position(|group| group.name == definition.group)
            .unwrap_or_else(|| {
                groups.push(Group {
                    name: definition.group.clone(),
                    versions: Vec::new(),
                });
                groups.len() - 1
            });
        let Some(group) = groups.get_mut(at) else { continue };
        for version in &definition.versions {
            match group.versions.iter_mut().find(|(name, _)| *name == version.name) {
                Some((_, definitions)) => definitions.push(definition),
                None => group.versions.push((version.name.clone(), vec![definition])),
            }
        }
    }
    let is_custom = |group: &Group<'_>| {
        let definitions = group.versions.iter().flat_map(|(_, definitions)| definitions);
        let mut versions = definitions.flat_map(|definition| &definition.versions);
        versions.all(|version| !version.schema.is_builtin())
    };
    groups.sort_by_cached_key(|group| is_custom(group).then(|| group.name.clone()));
    for group in &mut groups {
        group
            .versions
            .sort_by_key(|(version, _)| std::cmp::Reverse(priority(version)));
    }
    groups
}

/// The groups, those that other servers answer included: after the others, by priority.
pub(crate) fn with_remote<'a>(catalogue: &'a Catalogue, remote: &[Arc<RemoteVersion>]) -> Vec<Group<'a>> {
    let mut groups = groups(catalogue);
    for known in remote {
        let version = (known.version.clone(), Vec::new());
        match groups.iter_mut().find(|group| group.name == known.group) {
            Some(group) => {
                group.versions.retain(|(name, _)| *name != known.version);
                group.versions.push(version);
                group
                    .versions
                    .sort_by_key(|(version, _)| std::cmp::Reverse(priority(version)));
            }
            None => groups.push(Group {
                name: known.group.clone(),
                versions: vec![version],
            }),
        }
    }
    groups
}

/// Orders versions as upstream does: stable before beta before alpha, each with the highest number first.
fn priority(version: &str) -> (u8, u32, u32) {
    let Some(digits) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (major, rest) = digits.split_at(end);
    let major = major.parse().unwrap_or(0);
    match rest {
        "" => (3, major, 0),
        rest => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
            (Some(minor), _) => (2, major, minor.parse().unwrap_or(0)),
            (_, Some(minor)) => (1, major, minor.parse().unwrap_or(0)),
            _ => (0, 0, 0),
        },
    }
}

fn aggregated(catalogue: &Catalogue, remote: &[Arc<RemoteVersion>], core: bool) -> Value {
    let elsewhere = |group: &str, version: &str| {
        let mut all = remote.iter();
        all.find(|known| known.group == group && known.version == version)
    };
    let items: Vec<Value> = with_remote(catalogue, remote)
        .iter()
        .filter(|group| group.name.is_empty() == core)
        .map(|group| {
            let metadata = if core {
                json!({})
            } else {
                json!({"name": group.name})
            };
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|(version, definitions)| {
                    if let Some(known) = elsewhere(&group.name, version) {
                        return aggregated_elsewhere(known);
                    }
                    let mut resources: Vec<_> = definitions
                        .iter()
                        .map(|d| {
                            let custom = !catalogue.is_builtin(&d.group, &d.plural);
                            aggregated_resource(d.view(version), custom.then_some(version))
                        })
                        .collect();
                    resources.sort_by(|a, b| {
                        a.get("resource")
                            .and_then(Value::as_str)
                            .cmp(&b.get("resource").and_then(Value::as_str))
                    });
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

/// A version that another server answers; one that nobody could ask is stale.
fn aggregated_elsewhere(known: &RemoteVersion) -> Value {
    match known.resources.as_ref() {
        Some(resources) => {
            let freshness = if known.available { "Current" } else { "Stale" };
            json!({"version": known.version, "freshness": freshness, "resources": resources})
        }
        None => json!({"version": known.version, "freshness": "Stale"}),
    }
}

/// A resource; `custom` is the version that a custom resource is told of. Those say their group and version in full.
fn aggregated_resource(definition: &Definition, custom: Option<&SmolStr>) -> Value {
    let group = custom.map_or("", |_| definition.group.as_str());
    let own =
        json!({"group": group, "version": custom.cloned().unwrap_or_default(), "kind": definition.kind});
    let mut resource = Map::new();
    resource.insert("resource".into(), definition.plural.as_str().into());
    resource.insert("responseKind".into(), own.clone());
    resource.insert("scope".into(), scope(definition).into());
    resource.insert("singularResource".into(), definition.singular.as_str().into());
    resource.insert("verbs".into(), json!(definition.verbs));
    if !definition.short_names.is_empty() {
        resource.insert("shortNames".into(), json!(definition.short_names));
    }
    if !definition.categories.is_empty() {
        resource.insert("categories".into(), json!(definition.categories));
    }
    let mut parts: Vec<_> = definition.subresources.iter().collect();
    if custom.is_none() {
        parts.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let subresources: Vec<Value> = parts
        .into_iter()
        .map(|part| {
            let kind = part
                .kind
                .as_ref()
                .map_or_else(|| own.clone(), |kind| response_kind(definition, kind));
            json!({"subresource": part.name, "responseKind": kind, "verbs": part.verbs})
        })
        .collect();
    if !subresources.is_empty() {
        resource.insert("subresources".into(), subresources.into());
    }
    Value::Object(resource)
}

/// A subresource's kind; its group and version are left empty where they are the resource's own.
fn response_kind(definition: &Definition, kind: &GroupVersionKind) -> Value {
    if kind.group == definition.group && definition.version(&kind.version).is_some() {
        return json!({"group": "", "version": "", "kind": kind.kind});
    }
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn scope(definition: &Definition) -> &'static str {
    match definition.scope {
        Scope::Namespaced => "Namespaced",
        Scope::Cluster => "Cluster",
    }
}
