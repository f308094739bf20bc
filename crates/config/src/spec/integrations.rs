//! `integrations`: what the host already has and the virtual cluster uses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `integrations`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Integrations {
    /// `metrics.k8s.io` of the host, filtered to what is the tenant's.
    pub metrics_server: MetricsServer,
}

/// `integrations.metricsServer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MetricsServer {
    /// Whether the host's metrics are shown.
    pub enabled: bool,
    /// Those of nodes.
    pub nodes: bool,
    /// Those of pods.
    pub pods: bool,
}

impl Default for MetricsServer {
    fn default() -> Self {
        Self {
            enabled: false,
            nodes: true,
            pods: true,
        }
    }
}
