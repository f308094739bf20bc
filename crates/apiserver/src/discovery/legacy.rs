//! The legacy form of discovery, a document per group and per version.
//!
//! Fields come in upstream's order: scripts look for pieces of these documents as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use warren_registry::Catalogue;
use warren_registry::definition::Definition;

use super::Group;
use crate::answer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiVersions {
    kind: &'static str,
    versions: [&'static str; 1],
    #[serde(rename = "serverAddressByClientCIDRs")]
    server_addresses: [&'static str; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiGroupList<'a> {
    kind: &'static str,
    api_version: &'static str,
    groups: Vec<ApiGroup<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiGroup<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    name: &'a str,
    versions: Vec<Version<'a>>,
    preferred_version: Option<Version<'a>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Version<'a> {
    group_version: String,
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResourceList<'a> {
    kind: &'static str,
    // The core group's list has none: it is older than the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    group_version: String,
    resources: Vec<ApiResource<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource<'a> {
    name: String,
    singular_name: &'a str,
    namespaced: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    kind: &'a str,
    verbs: &'a [SmolStr],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    short_names: &'a [SmolStr],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    categories: &'a [SmolStr],
    #[serde(skip_serializing_if = "String::is_empty")]
    storage_version_hash: String,
}

/// `/api`
pub(super) fn api_versions() -> Bytes {
    answer::json(&ApiVersions {
        kind: "APIVersions",
        versions: ["v1"],
        server_addresses: [],
    })
}

/// `/apis`
pub(super) fn group_list(groups: &[Group<'_>]) -> Bytes {
    let named = groups.iter().filter(|group| !group.name.is_empty());
    answer::json(&ApiGroupList {
        kind: "APIGroupList",
        api_version: "v1",
        groups: named.map(ApiGroup::of).collect(),
    })
}

/// `/apis/GROUP`
pub(super) fn group(group: &Group<'_>) -> Bytes {
    answer::json(&ApiGroup {
        kind: Some("APIGroup"),
        api_version: Some("v1"),
        ..ApiGroup::of(group)
    })
}

/// `/api/v1` and `/apis/GROUP/VERSION`; `None` when nothing is served there.
pub(super) fn resource_list(catalogue: &Catalogue, group: &str, version: &str) -> Option<Bytes> {
    let served = catalogue
        .iter()
        .filter(|definition| definition.group == group && definition.version(version).is_some());
    let mut resources: Vec<ApiResource<'_>> = served
        .flat_map(|definition| {
            let parts = ApiResource::parts(definition.view(version), version);
            std::iter::once(ApiResource::of(definition)).chain(parts)
        })
        .collect();
    if resources.is_empty() {
        return None;
    }
    resources.sort_by(|a, b| a.name.cmp(&b.name));
    Some(answer::json(&ApiResourceList {
        kind: "APIResourceList",
        api_version: (!group.is_empty()).then_some("v1"),
        group_version: group_version(group, version),
        resources,
    }))
}

impl<'a> ApiGroup<'a> {
    fn of(group: &'a Group<'_>) -> Self {
        let version = |version: &'a SmolStr| Version {
            group_version: group_version(&group.name, version),
            version,
        };
        let versions: Vec<_> = group.versions.iter().map(|(name, _)| version(name)).collect();
        Self {
            kind: None,
            api_version: None,
            name: &group.name,
            preferred_version: versions.first().cloned(),
            versions,
        }
    }
}

impl<'a> ApiResource<'a> {
    fn of(definition: &'a Definition) -> Self {
        let is_stored = definition.verbs.iter().any(|verb| verb == "watch");
        Self {
            name: definition.plural.to_string(),
            singular_name: &definition.singular,
            namespaced: definition.is_namespaced(),
            group: "",
            version: "",
            kind: &definition.kind,
            verbs: &definition.verbs,
            short_names: &definition.short_names,
            categories: &definition.categories,
            storage_version_hash: if is_stored {
                storage_version_hash(definition)
            } else {
                String::new()
            },
        }
    }

    fn parts(definition: &'a Definition, version: &str) -> impl Iterator<Item = Self> {
        definition.subresources.iter().map(move |part| {
            let foreign = part
                .kind
                .as_ref()
                .filter(|kind| kind.group != definition.group || kind.version != version);
            Self {
                name: format!("{}/{}", definition.plural, part.name),
                singular_name: "",
                namespaced: definition.is_namespaced(),
                group: foreign.map_or("", |kind| &kind.group),
                version: foreign.map_or("", |kind| &kind.version),
                kind: part.kind.as_ref().map_or(&definition.kind, |kind| &kind.kind),
                verbs: &part.verbs,
                short_names: &[],
                categories: &[],
                storage_version_hash: String::new(),
            }
        })
    }
}

/// Tells clients that two resources are kept in one form, and when that changes.
fn storage_version_hash(definition: &Definition) -> String {
    let kind = &definition.storage_version;
    let digest = Sha256::digest(format!("{}/{}/{}", kind.group, kind.version, kind.kind));
    STANDARD.encode(digest.get(..8).unwrap_or_default())
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        return version.to_owned();
    }
    format!("{group}/{version}")
}
