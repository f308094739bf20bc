//! What is served: the definitions of all built-in kinds, made from the committed catalogue.
//!
//! Owns names, versions, scopes, verbs and subresources (data) and where objects of shared kinds are kept. What a
//! kind does is its strategy, found in the directory of its group.

use std::sync::Arc;

use serde::Deserialize;
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::{GroupResource, GroupVersionKind};
use warren_registry::definition::{Definition, ScalePaths, Subresource, Version};
use warren_schema::Ref;

use crate::strategies::strategy;

const CATALOGUE: &str = include_str!("../data/catalogue.json");

/// A line of the catalogue: one resource in one version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    group: SmolStr,
    version: SmolStr,
    resource: SmolStr,
    singular: SmolStr,
    kind: SmolStr,
    scope: ScopeName,
    schema: SmolStr,
    verbs: String,
    #[serde(default)]
    short_names: Vec<SmolStr>,
    #[serde(default)]
    categories: Vec<SmolStr>,
    #[serde(default)]
    deprecation: Option<String>,
    #[serde(default)]
    subresources: Vec<SubresourceEntry>,
}

#[derive(Deserialize)]
enum ScopeName {
    Namespaced,
    Cluster,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubresourceEntry {
    name: SmolStr,
    verbs: String,
    #[serde(default)]
    kind: Option<String>,
}

/// Everything that is served by default, in the order of upstream's discovery. Each call builds the list anew;
/// keep the result.
pub fn definitions() -> Vec<Arc<Definition>> {
    // The catalogue is part of the binary and read by every test: it parses or nothing works.
    let entries: Vec<Entry> = serde_json::from_str(CATALOGUE).unwrap_or_default();
    let mut definitions: Vec<Definition> = Vec::new();
    for entry in entries {
        let same = definitions
            .iter_mut()
            .find(|known| known.group == entry.group && known.plural == entry.resource);
        match same {
            Some(known) => {
                let mut versions = std::mem::take(&mut known.versions).into_vec();
                versions.push(version(&entry));
                known.versions = versions.into_boxed_slice();
            }
            None => definitions.push(definition(entry)),
        }
    }
    definitions.into_iter().map(Arc::new).collect()
}

fn definition(entry: Entry) -> Definition {
    let (storage, storage_version) = storage_of(&entry);
    Definition {
        storage,
        storage_version,
        scope: match entry.scope {
            ScopeName::Namespaced => Scope::Namespaced,
            ScopeName::Cluster => Scope::Cluster,
        },
        versions: Box::new([version(&entry)]),
        verbs: words(&entry.verbs),
        subresources: entry
            .subresources
            .iter()
            .map(|sub| subresource(&entry.group, sub))
            .collect(),
        strategy: strategy(&entry.group, &entry.resource),
        views: Box::default(),
        conversion: None,
        group: entry.group,
        kind: entry.kind,
        plural: entry.resource,
        singular: entry.singular,
        short_names: entry.short_names.into_boxed_slice(),
        categories: entry.categories.into_boxed_slice(),
    }
}

fn version(entry: &Entry) -> Version {
    Version {
        name: entry.version.clone(),
        schema: Ref::Named(entry.schema.clone()),
        deprecation: entry.deprecation.clone(),
        defaults_on_read: false,
    }
}

/// Events of both groups are kept as core/v1; everything else where it is served, in its preferred version.
fn storage_of(entry: &Entry) -> (GroupResource, GroupVersionKind) {
    let group = if entry.resource == "events" {
        SmolStr::default()
    } else {
        entry.group.clone()
    };
    (
        GroupResource {
            group: group.clone(),
            resource: entry.resource.clone(),
        },
        GroupVersionKind {
            group,
            version: entry.version.clone(),
            kind: entry.kind.clone(),
        },
    )
}

fn subresource(group: &str, entry: &SubresourceEntry) -> Subresource {
    let kind = entry.kind.as_deref().and_then(|text| {
        let mut parts = text.split('/');
        Some(GroupVersionKind {
            group: parts.next()?.into(),
            version: parts.next()?.into(),
            kind: parts.next()?.into(),
        })
    });
    let scale = (entry.name == "scale").then(|| ScalePaths {
        spec_replicas: "/spec/replicas".into(),
        status_replicas: "/status/replicas".into(),
        selector: Some("/spec/selector".into()),
    });
    debug_assert!(scale.is_none() || matches!(group, "" | "apps"));
    Subresource {
        name: entry.name.clone(),
        kind,
        verbs: words(&entry.verbs),
        scale,
    }
}

fn words(text: &str) -> Box<[SmolStr]> {
    text.split(' ').map(SmolStr::new).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn golden() -> Vec<Value> {
        let mut groups = Vec::new();
        for text in [
            include_str!("../tests/golden/discovery-api-v2.json"),
            include_str!("../tests/golden/discovery-apis-v2.json"),
        ] {
            let mut document: Value = serde_json::from_str(text).unwrap();
            groups.append(document["items"].as_array_mut().unwrap());
        }
        groups
    }

    /// Golden's `responseKind` is empty but for the kind where group and version are the parent's.
    fn response_kind(kind: &str, own: Option<&GroupVersionKind>, parent: (&str, &str)) -> Value {
        match own {
            Some(gvk) if (gvk.group.as_str(), gvk.version.as_str()) != parent => {
                json!({"group": gvk.group, "version": gvk.version, "kind": gvk.kind})
            }
            Some(gvk) => json!({"group": "", "version": "", "kind": gvk.kind}),
            None => json!({"group": "", "version": "", "kind": kind}),
        }
    }

    fn discovered(definition: &Definition, version: &str) -> Value {
        let parent = (definition.group.as_str(), version);
        let mut out = Map::new();
        out.insert("resource".into(), json!(definition.plural));
        out.insert("singularResource".into(), json!(definition.singular));
        out.insert(
            "responseKind".into(),
            response_kind(&definition.kind, None, parent),
        );
        let scope = match definition.scope {
            Scope::Namespaced => "Namespaced",
            Scope::Cluster => "Cluster",
        };
        out.insert("scope".into(), json!(scope));
        out.insert("verbs".into(), json!(definition.verbs));
        if !definition.short_names.is_empty() {
            out.insert("shortNames".into(), json!(definition.short_names));
        }
        if !definition.categories.is_empty() {
            out.insert("categories".into(), json!(definition.categories));
        }
        let subresources: Vec<Value> = definition
            .subresources
            .iter()
            .map(|sub| {
                json!({"subresource": sub.name, "verbs": sub.verbs,
                    "responseKind": response_kind(&definition.kind, sub.kind.as_ref(), parent)})
            })
            .collect();
        if !subresources.is_empty() {
            out.insert("subresources".into(), json!(subresources));
        }
        Value::Object(out)
    }

    #[test]
    fn discovery_made_from_the_definitions_is_upstreams() {
        let definitions = definitions();
        for group in golden() {
            let name = group["metadata"]["name"].as_str().unwrap_or_default();
            for version in group["versions"].as_array().unwrap() {
                let version_name = version["version"].as_str().unwrap();
                let ours: Vec<Value> = definitions
                    .iter()
                    .filter(|known| known.group == name && known.version(version_name).is_some())
                    .map(|known| discovered(known, version_name))
                    .collect();
                assert_eq!(json!(ours), version["resources"], "{name}/{version_name}");
            }
        }
    }

    #[test]
    fn shared_kinds_are_kept_once() {
        let find = |group: &str, plural: &str| {
            definitions()
                .into_iter()
                .find(|known| known.group == group && known.plural == plural)
                .unwrap()
        };
        assert_eq!(
            find("events.k8s.io", "events").storage,
            find("", "events").storage
        );
        let hpa = find("autoscaling", "horizontalpodautoscalers");
        let versions: Vec<_> = hpa.versions.iter().map(|version| version.name.as_str()).collect();
        assert_eq!(versions, ["v2", "v1"]);
        assert_eq!(hpa.storage_version.version, "v2");
    }
}
