//! The user's YAML as validated types: the `VirtualCluster` object and what its spec may say.
//!
//! The vocabulary is `vcluster.yaml`'s where the feature is the same. What of it is not supported is refused by name, or
//! ignored with a warning where nothing is lost by that: `check` tells which, `fields.txt` why.

pub mod check;
pub mod crd;
pub mod schema;
mod spec;
mod virtual_cluster;

pub use spec::{
    AdditionalSecret, Advanced, AllowedRoutes, AllowedRoutesOverride, ApiServer, ClusterRole, ControlPlane,
    ControlPlaneAdvanced, ControlPlaneIngress, ControlPlaneService, CoreDns, CoreDnsService, Distro,
    DnsTarget, EgressRule, ExportKubeConfig, Expression, FromHost, FromHostCustomResource, FromHostGateways,
    GatewayApi, GatewayMetadata, GatewaySanitize, GatewayStatus, GlobalMetadata, HybridScheduling,
    ImagePullSecret, IngressPolicy, IngressRule, Integrations, IpBlock, K8s, KubeConfigSecret,
    KubeConfigServiceAccount, LimitRange, Mapped, Mappings, MetricsServer, Namespaces, NetworkPolicy,
    NetworkPolicyControlPlane, Networking, NodeSelector, Nodes, Patch, PatchLabels, PatchReference, Peer,
    PodPolicy, PodSecurityStandard, Pods, Policies, PolicyPort, Proxy, PublicEgress, Rbac, ReferencedOrAll,
    ReplicateServices, ResolveDns, ResourceQuota, Role, Scope, Selected, SelectedAuto, Selector,
    ServiceMapping, Switch, Sync, Synced, SyncedAuto, ToHost, ToHostCustomResource, VirtualClusterSpec,
    VirtualNamespacePolicy, VirtualScheduler, WorkloadNetworkPolicy, WorkloadServiceAccount,
};
pub use virtual_cluster::{
    Condition, ConfigError, GROUP, KIND, Phase, VERSION, VirtualCluster, VirtualClusterStatus,
};
