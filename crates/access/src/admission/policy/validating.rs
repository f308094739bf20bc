//! `ValidatingAdmissionPolicy`: expressions that refuse writes, warn of them, or are told to the audit log.

use serde_json::{Value, json};
use warren_apimachinery::status::Cause;
use warren_apimachinery::{Status, StatusReason};
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

use super::super::asked::Asked;
use super::super::webhook::matching::Seen;
use super::concern::{self, Concern};
use super::input::Input;
use super::is_exempt;
use super::policies::{Binding, Policy};
use super::verdict::{self, Decision, Verdict};
use crate::guard::Guard;

/// The longest value of an annotation of the audit log.
const ANNOTATION_MAX: usize = 10 * 1024;
const FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";

/// Asks all policies that concern a write. Costs a look-up for each kind of policy where there are none.
///
/// # Errors
/// The first refusal, by the names of policies and their bindings.
pub(in crate::admission) async fn validate(
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
        input: None,
        annotations: Vec::new(),
        denied: None,
    };
    for concern in concern::find(&policies.validating, request, asked.cluster, object) {
        round.take(concern).await?;
    }
    for (key, values) in round.annotations {
        request.warnings.annotate(key, values.join(", "));
    }
    match round.denied {
        Some(denied) => Err(refusal(asked, object, denied)),
        None => Ok(()),
    }
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
    /// What the last policy saw: the next one sees the same, mostly.
    input: Option<(Seen, Input<'a>)>,
    /// What goes to the audit log: keys with their values, each once.
    annotations: Vec<(String, Vec<String>)>,
    /// The first refusal; others are not told.
    denied: Option<Denied>,
}

impl Round<'_> {
    async fn take(
        &mut self,
        Concern {
            policy,
            binding,
            found,
        }: Concern<'_>,
    ) -> Result<(), Status> {
        let found = match found {
            Ok(found) => found,
            Err(why) => {
                // A policy or binding that can't be asked denies, unless its failures are ignored.
                if !policy.fails_open {
                    self.deny(policy, binding, StatusReason::Invalid, &why);
                }
                return Ok(());
            }
        };
        let Some(binding) = binding else { return Ok(()) };
        let input = match self.input.take() {
            Some((seen, input)) if seen == found.seen => input,
            _ => Input::of(self.request, self.now, &found.seen, self.object).await?,
        };
        for parameter in &found.parameters {
            let verdict = verdict::of(policy, &input, parameter.as_ref(), self.guard);
            self.follow(policy, binding, verdict);
        }
        self.input = Some((found.seen, input));
        Ok(())
    }

    fn follow(&mut self, policy: &Policy, binding: &Binding, verdict: Verdict) {
        for (at, decision) in verdict.decisions.into_iter().enumerate() {
            if let Some(decision) = decision {
                self.act(policy, binding, at, &decision);
            }
        }
        for (key, value) in verdict.annotations {
            match value {
                Ok(value) => publish(&mut self.annotations, format!("{}/{key}", policy.name), value),
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
    let forbidden = asked.forbidden(object.unwrap_or(&Value::Null), &denied.message);
    let details = forbidden.details().cloned().unwrap_or_default();
    let cause = Cause {
        message: denied.message,
        ..Cause::default()
    };
    Status::new(denied.reason, forbidden.message())
        .with_details(details)
        .with_causes(vec![cause])
}
