//! `sync.fromHost.nodes`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Patch;

/// `sync.fromHost.nodes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Nodes {
    /// Real nodes of the host; off: pseudo nodes that only show what tenants may know.
    pub enabled: bool,
    /// Whether labels and taints that the tenant sets reach the host's nodes.
    pub sync_back_changes: bool,
    /// Whether the images that a node holds stay hidden.
    pub clear_image_status: bool,
    /// Which nodes.
    pub selector: NodeSelector,
    /// Changes to nodes on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

/// `sync.fromHost.nodes.selector`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodeSelector {
    /// All nodes, not only those that run the tenant's pods.
    pub all: bool,
    /// Nodes with these labels; the tenant's pods run on no others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
