//! `spec` of a `VirtualCluster`: a whole `vcluster.yaml`, section by section.
//!
//! Only what Warren does something with has a type here. What else vCluster knows stands in `fields.txt`, with what
//! becomes of it; [`crate::check`] takes it out before these types are read.

mod control_plane;
mod export_kube_config;
mod integrations;
mod networking;
mod policies;
mod rbac;
mod selector;
mod switch;
mod sync;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::control_plane::{
    ApiServer, ControlPlane, ControlPlaneAdvanced, ControlPlaneIngress, ControlPlaneService, CoreDns,
    CoreDnsService, Distro, GlobalMetadata, ImagePullSecret, K8s, Proxy, VirtualScheduler,
    WorkloadServiceAccount,
};
pub use self::export_kube_config::{
    AdditionalSecret, ExportKubeConfig, KubeConfigSecret, KubeConfigServiceAccount,
};
pub use self::integrations::{Integrations, MetricsServer};
pub use self::networking::{Advanced, DnsTarget, Networking, ReplicateServices, ResolveDns, ServiceMapping};
pub use self::policies::{
    EgressRule, IngressPolicy, IngressRule, IpBlock, LimitRange, NetworkPolicy, NetworkPolicyControlPlane,
    Peer, PodPolicy, PodSecurityStandard, Policies, PolicyPort, PublicEgress, ResourceQuota,
    WorkloadNetworkPolicy,
};
pub use self::rbac::{ClusterRole, Rbac, Role};
pub use self::selector::{Expression, Selector};
pub use self::switch::Switch;
pub use self::sync::{
    AllowedRoutes, AllowedRoutesOverride, FromHost, FromHostCustomResource, FromHostGateways, GatewayApi,
    GatewayMetadata, GatewaySanitize, GatewayStatus, HybridScheduling, Mapped, Mappings, Namespaces,
    NodeSelector, Nodes, Patch, PatchLabels, PatchReference, Pods, ReferencedOrAll, Scope, Selected,
    SelectedAuto, Sync, Synced, SyncedAuto, ToHost, ToHostCustomResource, VirtualNamespacePolicy,
};

/// What a virtual cluster should be. Every field has a default: an empty spec is a working cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VirtualClusterSpec {
    /// Whether it rests: its pods are taken from the host, all else stays. Not in vCluster, which has a command for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// How its API is reached.
    pub control_plane: ControlPlane,
    /// Where and how the admin's kubeconfig is written.
    pub export_kube_config: ExportKubeConfig,
    /// What crosses between the virtual cluster and the host.
    pub sync: Sync,
    /// Names and addresses.
    pub networking: Networking,
    /// What the tenant may do, and how much.
    pub policies: Policies,
    /// What Warren may do on the host for this virtual cluster.
    pub rbac: Rbac,
    /// What the host already has and the virtual cluster uses.
    pub integrations: Integrations,
}
