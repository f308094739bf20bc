//! The embedded host's scheduler: filter, score, bind.
//!
//! Pure decisions over views of pods and nodes, and one reconciler that carries them out. A real host brings its
//! own scheduler and never sees this one.

mod decide;
mod filter;
mod node_view;
mod pod_view;
mod requests;
mod scheduler;
mod score;
mod snapshot;
mod volumes;

pub use scheduler::Scheduler;
