//! The user's YAML as validated types: the `VirtualCluster` object and what its spec may say.
//!
//! The vocabulary is `vcluster.yaml`'s where the feature is the same. A field that is not supported is refused
//! by name, never ignored.

pub mod crd;
mod spec;
mod virtual_cluster;

pub use spec::{
    Advanced, Auto, ControlPlane, Enabled, ExportKubeConfig, FromHost, Networking, Nodes, Proxy,
    ReferencedOrAll, Sync, ToHost, VirtualClusterSpec,
};
pub use virtual_cluster::{
    Condition, ConfigError, GROUP, KIND, Phase, VERSION, VirtualCluster, VirtualClusterStatus,
};
