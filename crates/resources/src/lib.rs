//! One file per built-in kind: strategy, defaulting, validation, table columns.
//!
//! `definitions()` is everything that Kubernetes 1.36 serves by default. Each API group has a directory, each kind
//! a file in it; a group's `mod.rs` names its strategies.

mod apps;
mod catalogue;
mod check;
mod core;
pub mod custom;
mod diff;
mod generic;
mod pod_template;
mod strategies;
mod table;

pub use catalogue::definitions;
