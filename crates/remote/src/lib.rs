//! The host as kube's client sees it: kubeconfigs, the `Cluster` port over a real API server, and `VirtualCluster`
//! objects for commands.
//!
//! Owns the reading of kubeconfigs, the cache of a host, and the few requests that commands make. Does not own what a virtual cluster is
//! (`config` does) nor the files that commands write (the binary does).

mod access;
mod cluster;
mod endpoint;
mod error;
mod host;
mod objects;
mod tls;
mod virtual_cluster;

pub use access::{Access, MADE_BY, Made};
pub use cluster::{Origin, PortForward, RemoteCluster, RemoteOptions, RequestBody, refusal};
pub use endpoint::Endpoint;
pub use error::RemoteError;
pub use host::Host;
pub use objects::HostResource;
pub use virtual_cluster::VirtualClusterObject;
