//! What the configuration lets a tenant ask of the host, in the words of `translate`.

use warren_config::{PodSecurityStandard, VirtualClusterSpec};
use warren_translate::policy::{Limits, Standard};

use crate::pod::enforced;

/// See the module.
pub(crate) fn limits(spec: &VirtualClusterSpec) -> Limits {
    let pods = &spec.policies.pods;
    Limits {
        standard: match spec.policies.pod_security_standard {
            PodSecurityStandard::Privileged => Standard::Privileged,
            PodSecurityStandard::Baseline => Standard::Baseline,
            PodSecurityStandard::Restricted => Standard::Restricted,
        },
        node_labels: pods.allowed_node_labels.clone(),
        taints: pods.allowed_tolerations.clone(),
        owners_node_labels: spec
            .sync
            .from_host
            .nodes
            .selector
            .labels
            .keys()
            .cloned()
            .collect(),
        owners_tolerations: enforced::configured_tolerations(&spec.sync.to_host.pods),
        max_priority: pods.max_priority,
        hosts: spec.policies.ingresses.allowed_hosts.clone(),
    }
}
