//! One directory per kind that is kept in step between a virtual cluster and its host.
//!
//! Every rule is a function of two clusters behind the `Cluster` port: what is observed on either side leads to
//! writes on either side. Names and references cross only through `translate`. Nothing is kept per tenant.

mod applied;
mod binding;
mod catalogue;
mod config_map;
mod difference;
mod endpoint_slice;
mod endpoints;
mod event;
mod from_host;
mod garbage;
mod ingress;
mod mirrored;
mod network_policy;
mod node;
mod persistent_volume;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod referenced;
mod secret;
pub mod service;
mod sides;
mod storage_class;
#[cfg(test)]
mod testing;
mod wording;

pub use binding::{Binding, Bindings};
pub use catalogue::all;
pub use storage_class::to_host::remove_all as remove_storage_classes;
