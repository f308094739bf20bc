//! The pod spec, wherever it stands: in a Pod, or in the template of a Deployment, Job, …: its defaults, its
//! validation and its warnings. Owns nothing of the kinds around it.

mod annotations;
mod claims;
mod containers;
mod defaults;
mod disabled;
mod env;
mod internal;
mod lifecycle;
mod mounts;
mod network;
mod paths;
mod pod_resources;
mod projected;
mod resources;
mod restart;
mod scheduling;
mod security;
mod selectors;
mod sources;
mod spec;
mod template;
mod volumes;
mod warnings;
mod windows;

pub(crate) use annotations::{APP_ARMOR, MIRROR, app_armor_profile, match_fields, pod_annotations};
pub(crate) use containers::untrimmed_images;
pub(crate) use defaults::{default_pod_only, default_pod_spec, elements};
pub(crate) use disabled::drop_disabled;
pub(crate) use internal::internal_spec;
pub(crate) use resources::{
    container_resource_name, is_overcommit_allowed, is_standard, overhead, quantity_value, resource_name,
};
pub(crate) use restart::{all_may_restart, may_restart};
pub(crate) use scheduling::{node_selector, taints, tolerations};
pub(crate) use selectors::merge_label_keys;
pub(crate) use spec::{Of, pod_spec};
pub(crate) use template::{
    always_restarted, default_template, drop_disabled_of_template, template, template_metadata,
};
pub(crate) use volumes::hosted_sources;
pub(crate) use warnings::{
    node_label, pod_warnings, template_warnings, term_labels, volume_warnings, workload_warnings,
};
