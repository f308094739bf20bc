//! Services that are there on the other side, too, under a chosen name: vCluster's `networking.replicateServices`.
//!
//! `from_host` shows services of the host in the virtual cluster, `to_host` offers the tenant's on the host; `copy` says
//! what the copy of a Service is.

mod copy;
mod from_host;
mod mapping;
mod to_host;

pub(crate) use from_host::FromHost;
pub(crate) use mapping::host_namespaces;
pub(crate) use to_host::ToHost;
