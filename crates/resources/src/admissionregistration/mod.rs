//! The admissionregistration.k8s.io group. Expressions are checked when they are written; `access` evaluates them.

mod admission_policy;
mod policy_binding;
mod rules;
mod webhook_configuration;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

use self::admission_policy::AdmissionPolicy;
use self::policy_binding::PolicyBinding;
use self::webhook_configuration::WebhookConfiguration;

/// What a policy or a webhook may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mutating,
    Validating,
}

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "mutatingadmissionpolicies" => Arc::new(AdmissionPolicy(Kind::Mutating)),
        "mutatingadmissionpolicybindings" => Arc::new(PolicyBinding(Kind::Mutating)),
        "mutatingwebhookconfigurations" => Arc::new(WebhookConfiguration(Kind::Mutating)),
        "validatingadmissionpolicies" => Arc::new(AdmissionPolicy(Kind::Validating)),
        "validatingadmissionpolicybindings" => Arc::new(PolicyBinding(Kind::Validating)),
        "validatingwebhookconfigurations" => Arc::new(WebhookConfiguration(Kind::Validating)),
        _ => return None,
    })
}
