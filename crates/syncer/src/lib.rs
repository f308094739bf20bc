//! One directory per kind that is kept in step between a virtual cluster and its host.
//!
//! Every rule is a function of two clusters behind the `Cluster` port: what is observed on either side leads to
//! writes on either side. Names and references cross only through `translate`. Nothing is kept per tenant.

mod binding;

pub use binding::{Binding, Bindings};
