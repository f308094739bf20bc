//! `sync.*.customResources`: kinds that a CustomResourceDefinition brings, as `plural.group[/version]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mappings, Patch};

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// In namespaces.
    #[default]
    #[serde(alias = "")]
    Namespaced,
    /// In the cluster.
    Cluster,
}

/// One of `sync.toHost.customResources`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToHostCustomResource {
    /// Whether it is synced.
    pub enabled: bool,
    /// Where its objects live.
    pub scope: Scope,
    /// Changes to its objects on the way: the references in them, above all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

/// One of `sync.fromHost.customResources`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FromHostCustomResource {
    /// Whether it is synced.
    pub enabled: bool,
    /// Where its objects live.
    pub scope: Scope,
    /// Which objects, and where the tenant sees them; cluster-scoped: all unless it is said.
    pub mappings: Mappings,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}
