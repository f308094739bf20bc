//! Tracing, metrics and the rendering of error chains.
//!
//! Owns how they are set up and written. Does not own what is measured: callers say it through small typed methods.

mod error_chain;
pub mod metrics;
mod tracing_setup;

pub use error_chain::Chain;
pub use tracing_setup::{Format, init};
