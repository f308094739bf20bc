//! `rbac`: what Warren may do on the host for this virtual cluster, besides what its configuration needs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Switch;

/// `rbac`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rbac {
    /// In the virtual cluster's host namespace.
    pub role: Role,
    /// On the whole host.
    pub cluster_role: ClusterRole,
}

/// `rbac.role`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Role {
    /// Whether `warren install` makes it.
    pub enabled: bool,
    /// Rules besides those that the configuration needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_rules: Vec<Value>,
    /// Rules instead of those that the configuration needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overwrite_rules: Vec<Value>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            enabled: true,
            extra_rules: Vec::new(),
            overwrite_rules: Vec::new(),
        }
    }
}

/// `rbac.clusterRole`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterRole {
    /// Whether `warren install` makes it; `auto`: when the configuration needs one.
    pub enabled: Switch,
    /// Rules besides those that the configuration needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_rules: Vec<Value>,
    /// Rules instead of those that the configuration needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overwrite_rules: Vec<Value>,
}
