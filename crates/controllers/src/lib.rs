//! Upstream's built-in controllers (kube-controller-manager 1.36), one directory or file each: a pure decision and
//! a thin shell around it. `all` lists them.
//!
//! They see a cluster only through the `Cluster` port and keep no state between passes. What a pass wants to know of
//! the past stands in the objects. The queue, retries and workers are `reconciler`'s.

mod authority;
mod certificate_signing;
mod cluster_role_aggregation;
mod condition;
mod controller_revision;
mod cron_job;
mod custom_scale;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoint_slice;
mod endpoints;
mod ephemeral_volume;
#[cfg(test)]
mod event;
mod event_ttl;
mod garbage_collector;
mod horizontal_pod_autoscaler;
mod job;
mod label_selector;
mod namespace;
mod namespace_defaults;
mod node_lifecycle;
mod owner;
mod percent;
mod placement;
mod pod;
mod pod_control;
mod pod_gc;
mod replica_set;
mod resource_metrics;
mod resource_quota;
mod service_account_token;
mod service_pods;
mod stateful_set;
mod status;
mod storage_protection;
mod taint_eviction;
mod template_hash;
mod timestamp;
mod ttl_after_finished;
mod view;
mod volume_binder;

mod catalog;
#[cfg(test)]
mod fake;

pub use authority::{Authority, CertificateRequest, TokenSubject};
pub use catalog::{Config, Controller, Role, all};
pub use resource_metrics::{NoMetrics, PodUsage, ResourceMetrics};
pub use resource_quota::QuotaUsage;
