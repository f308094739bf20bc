//! The loop around a pure decision: the fair queue, retries, and the `Cluster` port.

pub mod cluster;
pub mod reconcile;

pub use cluster::{Change, Cluster, Clusters, DeleteOptions, Part, Propagation, ServedResource};
pub use reconcile::{Context, Next, ReconcileError, Reconciler, Triggers};
