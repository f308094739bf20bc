//! Which Service leads to which. Pure. What is no mapping is refused by the check of the configuration.

use std::collections::BTreeSet;

use warren_apimachinery::ObjectKey;
use warren_config::{ServiceMapping, VirtualClusterSpec};
use warren_translate::{Host, Virtual};

use crate::binding::Binding;

/// Of the host → in the virtual cluster. A name alone is of the virtual cluster's own host namespace.
pub(super) fn from_host(
    binding: &Binding,
) -> impl Iterator<Item = (Host<ObjectKey>, Virtual<ObjectKey>)> + '_ {
    let own = binding.tenant.host_namespace().0.as_str();
    let mappings = binding.spec.networking.replicate_services.from_host.iter();
    mappings.filter_map(move |mapping| {
        let from = read(&mapping.from, Some(own))?;
        Some((Host(from), Virtual(read(&mapping.to, None)?)))
    })
}

/// Of the virtual cluster → in its own host namespace.
pub(super) fn to_host(binding: &Binding) -> impl Iterator<Item = (Virtual<ObjectKey>, Host<ObjectKey>)> + '_ {
    let own = binding.tenant.host_namespace().0.as_str();
    let mappings = binding.spec.networking.replicate_services.to_host.iter();
    mappings.filter_map(move |ServiceMapping { from, to }| {
        let to = read(to, Some(own)).filter(|to| to.namespace == own)?;
        Some((Virtual(read(from, None)?), Host(to)))
    })
}

fn read(text: &str, default: Option<&str>) -> Option<ObjectKey> {
    match text.split_once('/') {
        Some((namespace, name)) => Some(ObjectKey::namespaced(namespace, name)),
        None => Some(ObjectKey::namespaced(default?, text)),
    }
}

/// The host namespaces whose services are shown; `None` stands for the virtual cluster's own.
pub(crate) fn host_namespaces(spec: &VirtualClusterSpec) -> BTreeSet<Option<String>> {
    let mappings = spec.networking.replicate_services.from_host.iter();
    mappings
        .map(|mapping| {
            mapping
                .from
                .split_once('/')
                .map(|(namespace, _)| namespace.to_owned())
        })
        .collect()
}
