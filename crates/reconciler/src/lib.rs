//! The loop around a pure decision: the fair queue, retries, and the `Cluster` port.

pub mod cluster;
pub mod event;
pub mod queue;
pub mod reconcile;
pub mod runtime;
pub mod want;

pub use cluster::{Change, Cluster, Clusters, DeleteOptions, Part, Propagation, ServedResource};
pub use reconcile::{Context, Next, ReconcileError, Reconciler, Triggers};
pub use runtime::{Registration, RunsIn, Runtime, Stats};
pub use want::{Want, Which};
