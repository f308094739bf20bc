//! The host as kube's client sees it: kubeconfigs, and `VirtualCluster` objects by way of a real API server.
//!
//! Owns the reading of kubeconfigs and the few requests that commands make. Does not own what a virtual cluster is
//! (`config` does) nor the files that commands write (the binary does).

mod access;
mod endpoint;
mod error;
mod host;
mod tls;
mod virtual_cluster;

pub use access::{Access, MADE_BY, Made};
pub use endpoint::Endpoint;
pub use error::RemoteError;
pub use host::Host;
pub use virtual_cluster::VirtualClusterObject;
