//! `sync.toHost.pods`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Patch;

/// `sync.toHost.pods`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pods {
    /// Whether pods are synced: what makes the cluster run anything.
    pub enabled: bool,
    /// From an image that the tenant writes to the one that the host is given. A key that ends with `*` or `/` is a
    /// prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub translate_image: BTreeMap<String, String>,
    /// Tolerations that every host pod is given: `key[=value][:effect]`, or `*` for everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enforce_tolerations: Vec<String>,
    /// The runtime class of every pod, whatever it names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub runtime_class_name: String,
    /// The priority class of pods whose own does not cross.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub priority_class_name: String,
    /// Which schedulers' pods the host schedules, when the virtual cluster has a scheduler of its own.
    pub hybrid_scheduling: HybridScheduling,
    /// Changes to pods on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

impl Default for Pods {
    fn default() -> Self {
        Self {
            enabled: true,
            translate_image: BTreeMap::new(),
            enforce_tolerations: Vec::new(),
            runtime_class_name: String::new(),
            priority_class_name: String::new(),
            hybrid_scheduling: HybridScheduling::default(),
            patches: Vec::new(),
        }
    }
}

/// `sync.toHost.pods.hybridScheduling`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HybridScheduling {
    /// Whether there are such schedulers.
    pub enabled: bool,
    /// Their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_schedulers: Vec<String>,
}
