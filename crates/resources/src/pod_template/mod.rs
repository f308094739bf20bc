//! The pod spec, wherever it stands: in a Pod, or in the template of a Deployment, Job, …: its defaults, its
//! validation and its warnings. Owns nothing of the kinds around it.

mod containers;
mod defaults;
mod env;
mod lifecycle;
mod mounts;
mod network;
mod paths;
mod projected;
mod resources;
mod scheduling;
mod security;
mod spec;
mod template;
mod volumes;
mod warnings;

pub(crate) use defaults::{default_pod_only, default_pod_spec, elements};
pub(crate) use resources::{
    container_resource_name, is_overcommit_allowed, is_standard, overhead, quantity_value, resource_name,
};
pub(crate) use scheduling::{node_selector, taints, tolerations};
pub(crate) use spec::{Of, pod_annotations, pod_spec};
pub(crate) use template::{always_restarted, default_template, template};
pub(crate) use volumes::hosted_sources;
pub(crate) use warnings::{pod_warnings, template_warnings, volume_warnings, workload_warnings};
