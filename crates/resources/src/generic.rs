//! The strategy of kinds without a file of their own: facts by name, no hooks.

use warren_registry::strategy::{NameRule, Strategy, Traits};

/// Kinds whose `metadata.generation` counts changes of the specification, as `plural.group`.
const GENERATION: &[&str] = &[
    "apiservices.apiregistration.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
    "cronjobs.batch",
    "customresourcedefinitions.apiextensions.k8s.io",
    "daemonsets.apps",
    "deployments.apps",
    "deviceclasses.resource.k8s.io",
    "endpointslices.discovery.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "ingressclasses.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "jobs.batch",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "podtemplates",
    "priorityclasses.scheduling.k8s.io",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "replicasets.apps",
    "replicationcontrollers",
    "resourceslices.resource.k8s.io",
    "statefulsets.apps",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
];

/// Kinds that PUT creates where they do not exist.
const CREATE_ON_UPDATE: &[&str] = &[
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
];

/// Kinds whose PUT must carry a `resourceVersion`.
const CONDITIONAL_UPDATE: &[&str] = &[
    "apiservices.apiregistration.k8s.io",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "leases.coordination.k8s.io",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "poddisruptionbudgets.policy",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "runtimeclasses.node.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "volumeattachments.storage.k8s.io",
];

/// Knows a kind's facts and adds nothing to the lifecycle of its writes.
pub(crate) struct Generic {
    traits: Traits,
}

impl Generic {
    /// The facts of `plural` in `group`; `has_status` when discovery lists a status subresource.
    pub(crate) fn new(group: &str, plural: &str, has_status: bool) -> Self {
        let name = if group.is_empty() {
            plural.to_owned()
        } else {
            format!("{plural}.{group}")
        };
        Self {
            traits: Traits {
                generation: GENERATION.contains(&name.as_str()),
                status: has_status,
                create_on_update: CREATE_ON_UPDATE.contains(&name.as_str()),
                unconditional_update: !CONDITIONAL_UPDATE.contains(&name.as_str()),
                name: name_rule(group),
                orphan_by_default: plural == "jobs",
            },
        }
    }
}

fn name_rule(group: &str) -> NameRule {
    match group {
        "rbac.authorization.k8s.io" | "certificates.k8s.io" | "apiregistration.k8s.io" => {
            NameRule::PathSegment
        }
        _ => NameRule::DnsSubdomain,
    }
}

impl Strategy for Generic {
    fn traits(&self) -> Traits {
        self.traits
    }
}
