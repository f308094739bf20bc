//! `MutatingAdmissionPolicy`: expressions that change writes, before webhooks do.
//!
//! Owns the order, who is asked again when others changed an object, and what failures mean. How one mutation
//! changes an object is `mutation`'s.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::status::Cause;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};
use warren_registry::admission::{AdmissionRequest, Operation};
use warren_storage::Snapshot;

use super::super::asked::Asked;
use super::super::webhook::matching::Seen;
use super::concern::{self, Found};
use super::conditions::Condition;
use super::input::{Evaluation, Input};
use super::is_exempt;
use super::mutation::{Failure, Target};
use super::policies::{Binding, Policies, Policy};
use crate::guard::Guard;

/// A policy, one of its bindings and one parameter's namespace and name.
type Invocation = (String, String, Option<(String, String)>);

/// The mutating policies' part in one write.
pub(in crate::admission) struct Mutations<'a> {
    guard: &'a Guard,
    request: &'a AdmissionRequest<'a>,
    policies: Arc<Policies>,
    /// The second time around: only those run who want to and after whom others changed the object.
    reinvoking: bool,
    /// Those who ran and want to run again when others change the object later. No more than one for each parameter
    /// of each binding, as `due`.
    invoked: HashSet<Invocation>,
    /// Those to run in the second round.
    due: HashSet<Invocation>,
    /// The object as the policies left it.
    left: Option<Value>,
    /// The failures of this round that refuse the write.
    failures: Vec<Refusal>,
}

/// A failure: what is said, and the reason where it is not that the write is forbidden.
struct Refusal {
    message: String,
    reason: Option<StatusReason>,
}

impl<'a> Mutations<'a> {
    /// `None` where no policy may change the write, at the cost of two look-ups where there is none.
    pub(in crate::admission) fn of(guard: &'a Guard, request: &'a AdmissionRequest<'a>) -> Option<Self> {
        if !matches!(request.operation, Operation::Create | Operation::Update) {
            return None;
        }
        let policies = guard.policies(&request.registry.store().head())?;
        (!policies.mutating.is_empty() && !is_exempt(request)).then(|| Self {
            guard,
            request,
            policies,
            reinvoking: false,
            invoked: HashSet::new(),
            due: HashSet::new(),
            left: None,
            failures: Vec::new(),
        })
    }

    /// Runs the policies, one after the other; `object` is as admission has it. Answers whether every step has to
    /// run again.
    ///
    /// # Errors
    /// What a policy could not do and must not leave undone.
    pub(in crate::admission) async fn mutate(&mut self, object: &mut Value) -> Result<bool, Status> {
        let now = self.request.registry.store().head();
        let policies = Arc::clone(&self.policies);
        let concerns = concern::find(&policies.mutating, self.request, &now, Some(object));
        let mut is_first = true;
        let mut changed = false;
        for concern in concerns {
            let found = match (concern.found, concern.binding) {
                (Ok(found), Some(binding)) => (found, binding),
                (Ok(_), None) => continue,
                (Err(why), binding) => {
                    self.fail(concern.policy, binding, &why, None);
                    continue;
                }
            };
            let (found, binding) = found;
            if std::mem::take(&mut is_first) && self.reinvoking && self.left.as_ref() != Some(&*object) {
                self.due.extend(self.invoked.drain());
            }
            changed |= self.invoke(concern.policy, binding, &found, &now, object).await?;
        }
        if changed {
            self.due.extend(self.invoked.drain());
        }
        self.left = Some(object.clone());
        if !self.failures.is_empty() {
            return Err(self.refusal(&now, object));
        }
        let again = changed && !self.reinvoking;
        self.reinvoking = true;
        Ok(again)
    }

    /// Runs a policy with all parameters of a binding. Answers whether it made anything of the object.
    async fn invoke(
        &mut self,
        policy: &Policy,
        binding: &Binding,
        found: &Found,
        now: &Snapshot,
        object: &mut Value,
    ) -> Result<bool, Status> {
        let mut changed = false;
        for parameter in &found.parameters {
            let invocation = invocation(policy, binding, parameter.as_ref());
            let is_due = !self.reinvoking || self.due.contains(&invocation);
            match self
                .concerns(policy, &found.seen, parameter.as_ref(), now, object)
                .await?
            {
                Condition::Holds => {}
                Condition::Fails => continue,
                Condition::Unclear(why) => {
                    self.fail(policy, Some(binding), &why, Some(StatusReason::Invalid));
                    continue;
                }
            }
            if !is_due {
                continue;
            }
            let before = object.clone();
            for mutation in &policy.compiled.mutations {
                let target = Target {
                    guard: self.guard,
                    request: self.request,
                    seen: &found.seen,
                    now,
                    policy,
                    parameter: parameter.as_ref(),
                };
                match target.apply(mutation, object).await {
                    Ok(new) => {
                        *object = new;
                        changed = true;
                    }
                    Err(Failure::Answer(status)) => return Err(*status),
                    Err(Failure::Expression(why)) => {
                        self.fail(policy, Some(binding), &why, Some(StatusReason::Invalid));
                    }
                }
            }
            if *object != before {
                self.due.extend(self.invoked.drain());
            }
            if policy.reinvocable {
                self.invoked.insert(invocation);
            }
        }
        Ok(changed)
    }

    async fn concerns(
        &self,
        policy: &Policy,
        seen: &Seen,
        parameter: Option<&Value>,
        now: &Snapshot,
        object: &Value,
    ) -> Result<Condition, Status> {
        let conditions = &policy.compiled.conditions;
        if conditions.is_empty() {
            return Ok(Condition::Holds);
        }
        let input = Input::of(self.request, now, seen, Some(object)).await?;
        let variables = &policy.compiled.variables;
        Ok(conditions.check(&Evaluation::new(&input, parameter, self.guard, variables)))
    }

    fn fail(&mut self, policy: &Policy, binding: Option<&Binding>, why: &str, reason: Option<StatusReason>) {
        if policy.fails_open {
            return;
        }
        let message = match binding {
            Some(binding) => format!(
                "policy '{}' with binding '{}' denied request: {why}",
                policy.name, binding.name
            ),
            None => format!("policy {:?} denied request: {why}", policy.name),
        };
        self.failures.push(Refusal { message, reason });
    }

    /// Upstream says what the first failure says, keeps the code, and lists all.
    fn refusal(&mut self, now: &Snapshot, object: &Value) -> Status {
        let failures = std::mem::take(&mut self.failures);
        let asked = Asked::of(self.guard, self.request, now);
        let forbidden = asked.forbidden(object, "admission request denied by policy");
        let details = forbidden.details().cloned().unwrap_or_default();
        let first = failures.first();
        let reason = first
            .and_then(|first| first.reason)
            .unwrap_or(StatusReason::Forbidden);
        let message = first.map(|first| first.message.clone()).unwrap_or_default();
        let causes = failures.into_iter().map(|failure| Cause {
            message: failure.message,
            ..Cause::default()
        });
        Status::new(reason, message)
            .with_code(forbidden.code())
            .with_details(details)
            .with_causes(causes.collect())
    }
}

fn invocation(policy: &Policy, binding: &Binding, parameter: Option<&Value>) -> Invocation {
    let place = parameter.map(|parameter| {
        (
            parameter.text("/metadata/namespace").to_owned(),
            parameter.text("/metadata/name").to_owned(),
        )
    });
    (policy.name.clone(), binding.name.clone(), place)
}
