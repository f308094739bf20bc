//! What a tenant's pods and ingresses may ask of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `policies.podSecurityStandard`: one of Kubernetes' Pod Security Standards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurityStandard {
    /// Anything. Only for a tenant who is trusted with the nodes.
    Privileged,
    /// Nothing that is known to lead out of a container.
    #[default]
    #[serde(alias = "")]
    Baseline,
    /// What is best for a pod, and nothing more.
    Restricted,
}

impl PodSecurityStandard {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// `policies.pods`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PodPolicy {
    /// Labels of nodes that the tenant may select by: keys, or patterns with `*`. Absent: any but
    /// `node-role.kubernetes.io/*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_node_labels: Option<Vec<String>>,
    /// Keys of taints that the tenant may tolerate, or patterns with `*`. Absent: any but `node-role.kubernetes.io/*`.
    /// What may not be tolerated does not reach the host, nor does a toleration of every taint, unless `*` stands here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_tolerations: Option<Vec<String>>,
    /// The highest `value` of a priority class that reaches the host.
    pub max_priority: i32,
}

/// The cap is the highest value that Kubernetes lets users set; above are the system's own classes.
impl Default for PodPolicy {
    fn default() -> Self {
        Self {
            allowed_node_labels: None,
            allowed_tolerations: None,
            max_priority: 1_000_000_000,
        }
    }
}

/// `policies.ingresses`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IngressPolicy {
    /// The host names that ingresses and routes may claim; `*.example.com` allows every name below. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
}
