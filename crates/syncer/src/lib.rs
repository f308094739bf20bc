//! One directory per kind that is kept in step between a virtual cluster and its host.
//!
//! Every rule is a function of two clusters behind the `Cluster` port: what is observed on either side leads to
//! writes on either side. Names and references cross only through `translate`. Nothing is kept per tenant.

mod applied;
mod binding;
mod catalogue;
mod config_map;
mod counterpart;
mod custom_resource;
mod difference;
mod endpoint_slice;
mod endpoints;
mod event;
mod from_host;
mod garbage;
mod gateway;
mod host_kinds;
mod ingress;
mod limits;
mod mirrored;
mod namespace;
mod network_policy;
mod node;
mod patches;
mod path;
mod persistent_volume;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod priority_class;
mod referenced;
mod refusal;
mod removal;
mod replicated_service;
mod resource_claim;
mod secret;
pub mod service;
mod service_account;
mod shown;
mod sides;
mod storage_class;
#[cfg(test)]
mod testing;
mod volume_snapshot;
mod wording;

pub use binding::{Binding, Bindings, names};
pub use catalogue::all;
pub use counterpart::{Counterpart, stands_for};
pub use host_kinds::{HostKind, Reach, host_kinds};
pub use removal::{crossing_kinds, remove_cluster_scoped};
