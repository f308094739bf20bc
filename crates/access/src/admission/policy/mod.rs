//! `ValidatingAdmissionPolicy`: expressions that refuse writes, warn of them, or are told to the audit log.
//!
//! Owns which policies concern a write, in which order, and what their decisions mean. What expressions are is
//! `warren_cel`'s; whom a policy is about is decided as for webhooks.

mod compiled;
mod conditions;
mod input;
mod parameters;
mod policies;
mod verdict;

use serde_json::{Value, json};
use warren_apimachinery::status::Cause;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

pub(super) use self::conditions::{Condition, Conditions};
pub(super) use self::input::{Evaluation, Input};
pub(crate) use self::policies::Policies;
use self::policies::{Binding, Policy};
use self::verdict::{Decision, Verdict};
use super::asked::Asked;
use super::webhook::matching::{Seen, seen_by};
use crate::guard::Guard;

/// The longest value of an annotation of the audit log.
const ANNOTATION_MAX: usize = 10 * 1024;
const FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";

/// Asks all policies that concern a write. Costs two look-ups where there are none.
///
/// # Errors
/// The first refusal, by the names of policies and their bindings.
pub(super) fn validate(
    asked: &Asked<'_>,
    request: &AdmissionRequest<'_>,
    object: Option<&Value>,
) -> Result<(), Status> {
    let Some(policies) = asked.guard.policies(asked.cluster) else {
        return Ok(());
    };
    if is_exempt(request) {
        return Ok(());
    }
    let mut round = Round {
        guard: asked.guard,
        request,
        now: asked.cluster,
        object,
        denied: None,
    };
    for policy in &policies.all {
        round.policy(policy)?;
    }
    match round.denied {
        Some(denied) => Err(refusal(asked, object, denied)),
        None => Ok(()),
    }
}

/// Policies are not about policies, so that none can lock itself in.
fn is_exempt(request: &AdmissionRequest<'_>) -> bool {
    let definition = request.definition;
    definition.group == "admissionregistration.k8s.io"
        && (definition.kind.ends_with("AdmissionPolicy")
            || definition.kind.ends_with("AdmissionPolicyBinding"))
}

/// A refusal: its reason and what is said.
struct Denied {
    reason: StatusReason,
    message: String,
}

struct Round<'a> {
    guard: &'a Guard,
    request: &'a AdmissionRequest<'a>,
    now: &'a Snapshot,
    object: Option<&'a Value>,
    /// The first refusal; others are not told.
    denied: Option<Denied>,
}

impl Round<'_> {
    fn policy(&mut self, policy: &Policy) -> Result<(), Status> {
        let seen = match seen_by(&policy.matching, self.request, self.now, self.object) {
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(()),
            Err(status) => {
                self.misconfigured(policy, None, status.message());
                return Ok(());
            }
        };
        let mut annotations: Vec<(String, Vec<String>)> = Vec::new();
        for binding in &policy.bindings {
            self.binding(policy, binding, &seen, &mut annotations)?;
        }
        for (key, values) in annotations {
            let key = format!("{}/{key}", policy.name);
            self.request.warnings.annotate(key, values.join(", "));
        }
        Ok(())
    }

    fn binding(
        &mut self,
        policy: &Policy,
        binding: &Binding,
        seen: &Seen,
        annotations: &mut Vec<(String, Vec<String>)>,
    ) -> Result<(), Status> {
        if let Some(matching) = &binding.matching {
            match seen_by(matching, self.request, self.now, self.object) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(status) => {
                    self.misconfigured(policy, Some(binding), status.message());
                    return Ok(());
                }
            }
        }
        let parameters = match parameters::of(policy, binding, self.request, self.now) {
            Ok(parameters) => parameters,
            Err(why) => {
                self.misconfigured(policy, Some(binding), &why);
                return Ok(());
            }
        };
        let input = Input::of(self.request, self.now, seen, self.object)?;
        for parameter in &parameters {
            let verdict = verdict::of(policy, &input, parameter.as_ref(), self.guard);
            self.take(policy, binding, verdict, annotations);
        }
        Ok(())
    }

    fn take(
        &mut self,
        policy: &Policy,
        binding: &Binding,
        verdict: Verdict,
        annotations: &mut Vec<(String, Vec<String>)>,
    ) {
        for (at, decision) in verdict.decisions.into_iter().enumerate() {
            if let Some(decision) = decision {
                self.act(policy, binding, at, &decision);
            }
        }
        for (key, value) in verdict.annotations {
            match value {
                Ok(value) => publish(annotations, key, value),
                Err(why) => self.deny(policy, Some(binding), StatusReason::Invalid, &why),
            }
        }
    }

    /// What a binding wants done about a validation that does not hold.
    fn act(&mut self, policy: &Policy, binding: &Binding, at: usize, decision: &Decision) {
        let message = &decision.message;
        for action in &binding.actions {
            match action.as_str() {
                "Deny" => self.deny(policy, Some(binding), decision.reason, message),
                "Warn" => self.request.warnings.add(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {message}",
                    policy.name, binding.name
                )),
                _ => {
                    let failure = json!([{
                        "message": message,
                        "policy": policy.name,
                        "binding": binding.name,
                        "expressionIndex": at,
                        "validationActions": binding.actions,
                    }]);
                    self.request.warnings.annotate(FAILURE, failure.to_string());
                }
            }
        }
    }

    fn deny(&mut self, policy: &Policy, binding: Option<&Binding>, reason: StatusReason, why: &str) {
        if self.denied.is_some() {
            return;
        }
        let by = match binding {
            Some(binding) => format!("'{}' with binding '{}'", policy.name, binding.name),
            None => format!("'{}'", policy.name),
        };
        self.denied = Some(Denied {
            reason,
            message: format!("ValidatingAdmissionPolicy {by} denied request: {why}"),
        });
    }

    /// A policy or binding that can't be asked denies, unless its failures are ignored.
    fn misconfigured(&mut self, policy: &Policy, binding: Option<&Binding>, why: &str) {
        if policy.fails_open {
            return;
        }
        let what = if binding.is_some() { "binding" } else { "policy" };
        let why = format!("failed to configure {what}: {why}");
        self.deny(policy, binding, StatusReason::Invalid, &why);
    }
}

fn publish(annotations: &mut Vec<(String, Vec<String>)>, key: String, mut value: String) {
    if value.len() > ANNOTATION_MAX {
        let end = (0..=ANNOTATION_MAX).rev().find(|at| value.is_char_boundary(*at));
        value.truncate(end.unwrap_or_default());
    }
    match annotations.iter_mut().find(|(known, _)| *known == key) {
        Some((_, values)) if values.contains(&value) => {}
        Some((_, values)) => values.push(value),
        None => annotations.push((key, vec![value])),
    }
}

fn refusal(asked: &Asked<'_>, object: Option<&Value>, denied: Denied) -> Status {
    let name = match (asked.key.name.as_str(), object) {
        ("", Some(object)) => object.text("/metadata/name"),
        (name, _) => name,
    };
    let forbidden = Status::forbidden(&asked.resource, name, &denied.message);
    let details = forbidden.details().cloned().unwrap_or_default();
    let cause = Cause {
        message: denied.message,
        ..Cause::default()
    };
    Status::new(denied.reason, forbidden.message())
        .with_details(details)
        .with_causes(vec![cause])
}
