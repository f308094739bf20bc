//! Admission policies: expressions that change writes (`MutatingAdmissionPolicy`), and that refuse them, warn of
//! them, or are told to the audit log (`ValidatingAdmissionPolicy`).
//!
//! Owns which policies concern a write, in which order, and what their decisions mean. What expressions are is
//! `warren_cel`'s; whom a policy is about is decided as for webhooks.

mod compiled;
mod concern;
mod conditions;
mod input;
mod mutating;
mod mutation;
pub(super) mod parameter_rights;
mod parameters;
mod policies;
mod type_check;
mod validating;
mod verdict;

use warren_registry::admission::AdmissionRequest;

pub(super) use self::conditions::{Condition, Conditions};
pub(super) use self::input::{Evaluation, Input};
pub(super) use self::mutating::Mutations;
pub(crate) use self::policies::Policies;
pub use self::type_check::type_warnings;
pub(super) use self::validating::validate;

/// What all expressions of one evaluation may cost together.
const BUDGET: u64 = 10_000_000;

/// Reviews, whose interception would break a cluster: nothing of them is kept.
const REVIEWS: [(&str, &str); 6] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];

/// Policies are not about policies, so that none can lock itself in, nor about reviews.
fn is_exempt(request: &AdmissionRequest<'_>) -> bool {
    let definition = request.definition;
    let (group, plural) = (definition.group.as_str(), definition.plural.as_str());
    let is_policy =
        definition.kind.ends_with("AdmissionPolicy") || definition.kind.ends_with("AdmissionPolicyBinding");
    (group == "admissionregistration.k8s.io" && is_policy) || REVIEWS.contains(&(group, plural))
}
