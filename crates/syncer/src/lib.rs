//! One directory per kind that is kept in step between a virtual cluster and its host.
//!
//! Every rule is a function of two clusters behind the `Cluster` port: what is observed on either side leads to
//! writes on either side. Names and references cross only through `translate`. Nothing is kept per tenant.

mod binding;
pub mod service;

use std::sync::Arc;

use warren_reconciler::Reconciler;

pub use binding::{Binding, Bindings};

/// Every rule, for the fleet's runtime. They run in all clusters: a change of the host concerns its tenants.
pub fn all(_bindings: Arc<dyn Bindings>) -> Vec<Arc<dyn Reconciler>> {
    Vec::new()
}
