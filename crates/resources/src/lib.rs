//! One file per built-in kind: strategy, defaulting, validation, table columns.
//!
//! `definitions()` is everything that Kubernetes 1.36 serves by default. Each API group has a directory, each kind
//! a file in it; a group's `mod.rs` names its strategies.

mod admissionregistration;
mod apiextensions;
mod apiregistration;
mod apps;
mod autoscaling;
mod batch;
mod catalogue;
mod certificates;
mod check;
mod conditions;
mod coordination;
mod core;
pub mod custom;
mod diff;
mod discovery;
mod flowcontrol;
mod generic;
mod go_literal;
mod networking;
mod node;
mod pod_template;
mod policy;
mod rbac;
mod resource;
mod scheduling;
mod storage;
mod strategies;
mod table;
mod webhook_client;

pub use catalogue::definitions;
