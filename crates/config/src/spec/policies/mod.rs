//! `policies`: what the tenant may do, and how much.

mod network_policy;
mod pods;
mod quota;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::network_policy::{
    EgressRule, IngressRule, IpBlock, NetworkPolicy, NetworkPolicyControlPlane, Peer, PolicyPort,
    PublicEgress, WorkloadNetworkPolicy,
};
pub use self::pods::{IngressPolicy, PodPolicy, PodSecurityStandard};
pub use self::quota::{LimitRange, ResourceQuota};

/// `policies`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policies {
    /// What pods may ask of a node. Warren's default is `baseline`; vCluster's is nothing at all.
    pub pod_security_standard: PodSecurityStandard,
    /// What else pods may ask for. Not in vCluster.
    pub pods: PodPolicy,
    /// What ingresses and routes may ask for. Not in vCluster.
    pub ingresses: IngressPolicy,
    /// A ResourceQuota in the virtual cluster's host namespace.
    pub resource_quota: ResourceQuota,
    /// A LimitRange in the virtual cluster's host namespace.
    pub limit_range: LimitRange,
    /// NetworkPolicies in the virtual cluster's host namespace.
    pub network_policy: NetworkPolicy,
}

impl Policies {
    /// Whether the ResourceQuota is wanted: `auto` follows the LimitRange.
    pub const fn wants_resource_quota(&self) -> bool {
        self.resource_quota
            .enabled
            .is_on(self.limit_range.enabled.is_on(false))
    }

    /// Whether the LimitRange is wanted: `auto` follows the ResourceQuota.
    pub const fn wants_limit_range(&self) -> bool {
        self.limit_range
            .enabled
            .is_on(self.resource_quota.enabled.is_on(false))
    }
}
