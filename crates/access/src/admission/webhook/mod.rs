//! Admission webhooks: servers that tenants name, which change or refuse writes.
//!
//! Owns who is asked, in which order, about what, and what their answers mean, as upstream's `MutatingAdmissionWebhook`
//! and `ValidatingAdmissionWebhook` have it. How a server is reached is the `Outbound` port's.

mod hook;
pub(super) mod matching;
mod refusal;
mod review;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;
use warren_patch::PatchError;
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

use self::hook::Hook;
pub(crate) use self::hook::Hooks;
use self::matching::{Seen, is_exempt, seen_by};
use self::refusal::{Failure, denied};
use self::review::{Review, Verdict};
use super::policy::{Condition, Evaluation, Input};
use crate::guard::Guard;

/// What the audit log tells of webhooks stands under these keys.
const MUTATION: &str = "mutation.webhook.admission.k8s.io/";
const VALIDATING: &str = "validating.webhook.admission.k8s.io/";

/// The webhooks' part in one write.
pub(super) struct Turns<'a> {
    guard: &'a Guard,
    request: &'a AdmissionRequest<'a>,
    hooks: Arc<Hooks>,
    /// The second time around: only those are asked who asked for it and whose work others changed.
    reinvoking: bool,
    /// Whether a webhook changed the object, so that every step runs once more.
    changed: bool,
    /// The webhooks that were asked and want to be asked again when others change the object later.
    asked: HashSet<usize>,
    /// Those to be asked in the second round.
    due: HashSet<usize>,
    /// The object as the webhooks left it.
    left: Option<Value>,
}

impl<'a> Turns<'a> {
    /// `None` where no webhook is asked, at the cost of two look-ups.
    pub(super) fn of(guard: &'a Guard, request: &'a AdmissionRequest<'a>) -> Option<Self> {
        let hooks = guard.hooks(&request.registry.store().head())?;
        (!is_exempt(request)).then(|| Self {
            guard,
            request,
            hooks,
            reinvoking: false,
            changed: false,
            asked: HashSet::new(),
            due: HashSet::new(),
            left: None,
        })
    }

    /// Asks the mutating webhooks, one after the other; `object` is of the storage version, `None` for what has no
    /// object. Answers whether every step has to run again.
    ///
    /// # Errors
    /// A refusal, or a webhook that could not be asked and may not be left out.
    pub(super) async fn mutate(&mut self, mut object: Option<&mut Value>) -> Result<bool, Status> {
        if self.hooks.mutating.is_empty() {
            return Ok(false);
        }
        let hooks = Arc::clone(&self.hooks);
        if self.reinvoking && self.left.as_ref() != object.as_deref() {
            self.due.extend(self.asked.drain());
        }
        let now = self.request.registry.store().head();
        for (at, hook) in hooks.mutating.iter().enumerate() {
            let Some(matching) = &hook.matching else { continue };
            let Some(seen) = seen_by(matching, self.request, &now, object.as_deref())? else {
                continue;
            };
            if self.reinvoking && !self.due.contains(&at) {
                continue;
            }
            if !self.concerns(hook, &seen, &now, object.as_deref())? {
                continue;
            }
            let place = format!("round_{}_index_{at}", u8::from(self.reinvoking));
            let changed = match self.ask_to_mutate(hook, &seen, object.as_deref_mut()).await {
                Ok(changed) => changed,
                Err(failure) => {
                    self.passed_over(hook, &format!("failed-open.{MUTATION}{place}"), failure)?;
                    false
                }
            };
            let what = json!({"configuration": hook.configuration, "webhook": hook.name, "mutated": changed});
            self.request
                .warnings
                .annotate(format!("{MUTATION}{place}"), what.to_string());
            if changed {
                self.changed = true;
                self.due.extend(self.asked.drain());
            }
            if hook.reinvocable {
                self.asked.insert(at);
            }
        }
        self.left = object.as_deref().cloned();
        let again = self.changed && !self.reinvoking;
        self.reinvoking = true;
        Ok(again)
    }

    /// Whether the webhook changed the object.
    async fn ask_to_mutate(
        &self,
        hook: &Hook,
        seen: &Seen,
        object: Option<&mut Value>,
    ) -> Result<bool, Failure> {
        let mut shown = object
            .as_deref()
            .map_or(Value::Null, |object| self.shown(seen, object));
        let verdict = self.ask(hook, seen, &shown, true).await?;
        if verdict.patch.is_empty() {
            return Ok(false);
        }
        let patch: Value = serde_json::from_slice(&verdict.patch).map_err(|error| {
            Failure::Call(format!("received undecodable patch in webhook response: {error}"))
        })?;
        if patch.as_array().is_some_and(Vec::is_empty) {
            return Ok(false);
        }
        let refuse = |why: String| Failure::Answer(Status::internal(why));
        let Some(object) = object else {
            let name = &hook.name;
            return Err(refuse(format!(
                "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
            )));
        };
        warren_patch::json_patch(&mut shown, &patch).map_err(|error| {
            refuse(match error {
                PatchError::DoesNotFit(why) => why,
                other => other.to_string(),
            })
        })?;
        let read = self.read_back(seen, shown).map_err(refuse)?;
        let changed = read != *object;
        *object = read;
        Ok(changed)
    }

    /// Asks the validating webhooks, all at the same time. The first refusal in their order is the answer.
    ///
    /// # Errors
    /// A refusal, or a webhook that could not be asked and may not be left out.
    pub(super) async fn validate(&self, now: &Snapshot, object: Option<&Value>) -> Result<(), Status> {
        let mut concerned = Vec::new();
        for hook in &self.hooks.validating {
            let Some(matching) = &hook.matching else { continue };
            if let Some(seen) = seen_by(matching, self.request, now, object)?
                && self.concerns(hook, &seen, now, object)?
            {
                concerned.push((hook, seen));
            }
        }
        let asked = concerned.iter().enumerate().map(|(at, (hook, seen))| async move {
            let shown = object.map_or(Value::Null, |object| self.shown(seen, object));
            match self.ask(hook, seen, &shown, false).await {
                Ok(_) => Ok(()),
                Err(failure) => self.passed_over(
                    hook,
                    &format!("failed-open.{VALIDATING}round_0_index_{at}"),
                    failure,
                ),
            }
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Whether the webhook's conditions hold.
    ///
    /// # Errors
    /// 403 where they can't be evaluated, unless the webhook fails open.
    fn concerns(
        &self,
        hook: &Hook,
        seen: &Seen,
        now: &Snapshot,
        object: Option<&Value>,
    ) -> Result<bool, Status> {
        if hook.conditions.is_empty() {
            return Ok(true);
        }
        let input = Input::of(self.request, now, seen, object)?;
        match hook
            .conditions
            .check(&Evaluation::new(&input, None, self.guard, &[]))
        {
            Condition::Holds => Ok(true),
            Condition::Fails => Ok(false),
            Condition::Unclear(_) if hook.fails_open => Ok(false),
            Condition::Unclear(why) => {
                let resource = self.request.definition.group_resource();
                Err(Status::forbidden(&resource, &self.request.key.name, &why))
            }
        }
    }

    /// Asks one webhook. An answer that allows the write is `Ok`.
    async fn ask(&self, hook: &Hook, seen: &Seen, shown: &Value, mutating: bool) -> Result<Verdict, Failure> {
        let request = self.request;
        if request.dry_run && !hook.stands_dry_run() {
            return Err(Failure::DryRun);
        }
        let old = request.old.map_or(Value::Null, |old| self.shown(seen, old));
        let review = Review::of(hook, request, seen, [shown, &old]).map_err(Failure::Call)?;
        let outbound = self.guard.outbound().ok_or_else(|| {
            Failure::Call("failed to call webhook: this server does not call others".to_owned())
        })?;
        let cluster = request.registry.store().cluster();
        let body = review.body.clone();
        let reply = outbound
            .post(cluster, &hook.destination, body, hook.timeout)
            .await;
        let reply = reply.map_err(|why| Failure::Call(format!("failed to call webhook: {why}")))?;
        if let Some(why) = refusal::of_code(&reply) {
            return Err(Failure::Call(format!("failed to call webhook: {why}")));
        }
        let verdict = review.read(&reply.body, mutating).map_err(Failure::Call)?;
        for (key, value) in &verdict.annotations {
            request
                .warnings
                .annotate(format!("{}/{key}", hook.name), value.clone());
        }
        for warning in &verdict.warnings {
            request.warnings.add(warning.clone());
        }
        if verdict.allowed {
            return Ok(verdict);
        }
        Err(Failure::Answer(denied(&hook.name, &verdict.result)))
    }

    /// What a failure means for the write: a webhook that fails open is left out where it could not be asked, which
    /// the audit log tells under `key`.
    fn passed_over(&self, hook: &Hook, key: &str, failure: Failure) -> Result<(), Status> {
        match failure {
            Failure::Call(why) if hook.fails_open => {
                tracing::debug!(
                    webhook = hook.name,
                    why,
                    "a webhook that fails open could not be asked"
                );
                self.request.warnings.annotate(key, hook.name.clone());
                Ok(())
            }
            failure => Err(failure.into_status(&hook.name)),
        }
    }

    /// An object of the storage version as a webhook sees it.
    fn shown(&self, seen: &Seen, object: &Value) -> Value {
        if !seen.converts {
            return object.clone();
        }
        self.request.registry.show(&seen.resource, object)
    }

    fn read_back(&self, seen: &Seen, object: Value) -> Result<Value, String> {
        if !seen.converts {
            return Ok(object);
        }
        let namespace = &self.request.key.namespace;
        if self.request.definition.is_namespaced() && object.text("/metadata/namespace") != namespace {
            return Err(
                "the namespace of the provided object does not match the namespace sent on the request"
                    .to_owned(),
            );
        }
        self.request.registry.read_back(&seen.resource, object)
    }
}
