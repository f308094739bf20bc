//! `sync.toHost.namespaces`: each virtual namespace in a host namespace of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mappings, Patch};

/// `sync.toHost.namespaces`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Namespaces {
    /// Whether each virtual namespace has a host namespace of its own, in which names are kept.
    pub enabled: bool,
    /// From virtual namespaces to host namespaces; without one that fits, the host namespace's name is translated.
    pub mappings: Mappings,
    /// Whether namespaces that no mapping fits are refused.
    pub mappings_only: bool,
    /// More labels of the host namespaces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_labels: BTreeMap<String, String>,
    /// Changes to namespaces on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}
