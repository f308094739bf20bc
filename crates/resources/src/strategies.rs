//! Which strategy belongs to which resource: each group's directory answers for its own kinds.

use std::sync::Arc;

use warren_registry::strategy::Strategy;

use crate::core::event::{Event, View};
use crate::generic::Generic;
use crate::{
    admissionregistration, apiextensions, apiregistration, apps, autoscaling, batch, certificates,
    coordination, core, discovery, flowcontrol, networking, node, policy, rbac, resource, scheduling,
    storage,
};

/// The strategy of a built-in resource; the generic one for a kind that has no file of its own.
pub(crate) fn strategy(group: &str, plural: &str) -> Arc<dyn Strategy> {
    let own = match group {
        "" => core::strategy(plural),
        "apps" => apps::strategy(plural),
        "admissionregistration.k8s.io" => admissionregistration::strategy(plural),
        "apiextensions.k8s.io" => apiextensions::strategy(plural),
        "apiregistration.k8s.io" => apiregistration::strategy(plural),
        "autoscaling" => autoscaling::strategy(plural),
        "batch" => batch::strategy(plural),
        "certificates.k8s.io" => certificates::strategy(plural),
        "coordination.k8s.io" => coordination::strategy(plural),
        "discovery.k8s.io" => discovery::strategy(plural),
        "flowcontrol.apiserver.k8s.io" => flowcontrol::strategy(plural),
        "networking.k8s.io" => networking::strategy(plural),
        "node.k8s.io" => node::strategy(plural),
        "policy" => policy::strategy(plural),
        "rbac.authorization.k8s.io" => rbac::strategy(plural),
        "resource.k8s.io" => resource::strategy(plural),
        "scheduling.k8s.io" => scheduling::strategy(plural),
        "storage.k8s.io" => storage::strategy(plural),
        "events.k8s.io" => Some(Arc::new(Event(View::Events)) as Arc<dyn Strategy>),
        _ => None,
    };
    own.unwrap_or_else(|| Arc::new(Generic))
}
