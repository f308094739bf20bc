//! The embedded host's simulated nodes: the life of a pod without containers, and what they answer to logs and
//! exec.
//!
//! No container is run and no image is pulled. What a pod's status says is what a kubelet would report for
//! containers that start at once, become ready as their probes' timing allows, and end as their command says where
//! it is one that needs no running to be understood.

mod addresses;
mod command;
mod container;
mod deletion;
mod events;
mod heartbeat;
mod kubelet;
mod pod;
mod references;
mod registration;
pub mod stream;

pub use heartbeat::Heartbeat;
pub use kubelet::Kubelet;
pub use registration::{NodeShape, is_simulated, node_object};
