//! Mutating webhooks: one after the other, each sees what those before it made.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use warren_apimachinery::decode_json;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersionKind, Status};
use warren_patch::PatchError;
use warren_registry::admission::Operation;

use super::hook::Hook;
use super::matching::{Seen, seen_by};
use super::refusal::Failure;
use super::review::{JSON_PATCH, Verdict};
use super::{Side, Turns};

/// What the audit log tells of mutating webhooks stands under these keys.
const MUTATION: &str = "mutation.webhook.admission.k8s.io/";
const PATCH: &str = "patch.webhook.admission.k8s.io/";

impl Turns<'_> {
    /// Asks the mutating webhooks, one after the other; `object` is of the storage version, `None` for what has no
    /// object. Answers whether every step has to run again.
    ///
    /// # Errors
    /// A refusal, or a webhook that could not be asked and may not be left out.
    pub(in crate::admission) async fn mutate(
        &mut self,
        mut object: Option<&mut Value>,
    ) -> Result<bool, Status> {
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
            if !self.concerns(hook, &seen, &now, object.as_deref()).await? {
                continue;
            }
            // Who was not asked before is not asked the second time around.
            if self.reinvoking && !self.due.contains(&at) {
                continue;
            }
            let place = format!("round_{}_index_{at}", u8::from(self.reinvoking));
            self.turn(at, hook, (&seen, &place), object.as_deref_mut())
                .await?;
        }
        self.left = object.as_deref().cloned();
        let again = self.changed && !self.reinvoking;
        self.reinvoking = true;
        Ok(again)
    }

    /// Asks the mutating webhooks about what they can only look at: a deletion, or the options of a connect.
    ///
    /// # Errors
    /// As [`Self::mutate`].
    pub(in crate::admission) async fn look(&mut self, object: Option<&Value>) -> Result<(), Status> {
        let mut shown = object.cloned();
        self.mutate(shown.as_mut()).await.map(drop)
    }

    /// The turn of one webhook.
    async fn turn(
        &mut self,
        at: usize,
        hook: &Hook,
        (seen, place): (&Seen, &str),
        object: Option<&mut Value>,
    ) -> Result<(), Status> {
        let since = Instant::now();
        let asked = self.ask_to_mutate(hook, (seen, place), object).await;
        self.count(hook, Side::Mutating, since, &asked);
        let changed = *asked.as_ref().unwrap_or(&false);
        let what = format!(
            r#"{{"configuration":{},"webhook":{},"mutated":{changed}}}"#,
            Value::from(hook.configuration.as_str()),
            Value::from(hook.name.as_str()),
        );
        self.request.warnings.annotate(format!("{MUTATION}{place}"), what);
        if changed {
            self.changed = true;
            self.due.extend(self.asked.drain());
        }
        if hook.reinvocable {
            self.asked.insert(at);
        }
        match asked {
            Ok(_) => Ok(()),
            Err(failure) => self.passed_over(hook, &format!("failed-open.{MUTATION}{place}"), failure),
        }
    }

    /// Whether the webhook changed the object.
    async fn ask_to_mutate(
        &self,
        hook: &Hook,
        (seen, place): (&Seen, &str),
        object: Option<&mut Value>,
    ) -> Result<bool, Failure> {
        let shown = self.shown(seen, object.as_deref()).await?;
        let verdict = self.ask(hook, seen, &shown, Side::Mutating).await?;
        let Some(patch) = patch_of(&verdict)? else {
            return Ok(false);
        };
        let Some(object) = object.filter(|_| self.request.operation != Operation::Connect) else {
            let name = &hook.name;
            return Err(unfit(format!(
                "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
            )));
        };
        if verdict.patch_type != JSON_PATCH {
            return Err(Failure::call(format!(
                "unsupported patch type {:?}",
                verdict.patch_type
            )));
        }
        let read = self.patched(seen, shown, &patch).await?;
        self.tell_patch(hook, place, &patch);
        let changed = read != *object;
        *object = read;
        Ok(changed)
    }

    /// The object as a webhook wants it, as the request has it.
    async fn patched(&self, seen: &Seen, mut shown: Value, patch: &Value) -> Result<Value, Failure> {
        warren_patch::json_patch(&mut shown, patch).map_err(|error| match error {
            PatchError::DoesNotFit(why) => unfit(why),
            other => unfit(other.to_string()),
        })?;
        if !shown.is_object() {
            return Err(unfit(
                "couldn't get version/kind; json parse error: the patched object is none",
            ));
        }
        settle_type(&seen.kind, &mut shown)?;
        self.settle_namespace(&mut shown)?;
        self.read_back(seen, shown).await
    }

    fn tell_patch(&self, hook: &Hook, place: &str, patch: &Value) {
        let what = format!(
            r#"{{"configuration":{},"webhook":{},"patch":{patch},"patchType":"{JSON_PATCH}"}}"#,
            Value::from(hook.configuration.as_str()),
            Value::from(hook.name.as_str()),
        );
        self.request
            .warnings
            .annotate_in_detail(format!("{PATCH}{place}"), what);
    }

    /// No webhook moves an object to another namespace.
    fn settle_namespace(&self, object: &mut Value) -> Result<(), Failure> {
        let namespace = self.request.key.namespace.as_str();
        if !self.request.definition.is_namespaced() {
            return Ok(());
        }
        match object.text("/metadata/namespace") {
            "" if namespace.is_empty() => {}
            "" => object.set("/metadata/namespace", namespace),
            known if known == namespace => {}
            _ => {
                return Err(Failure::Unfit(Status::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                )));
            }
        }
        Ok(())
    }
}

/// The operations of a patch; `None` where there are none.
fn patch_of(verdict: &Verdict) -> Result<Option<Value>, Failure> {
    if verdict.patch.is_empty() {
        return Ok(None);
    }
    let undecodable =
        |why: String| Failure::call(format!("received undecodable patch in webhook response: {why}"));
    let patch = decode_json(&verdict.patch)
        .map_err(|error| undecodable(error.to_string()))?
        .value;
    match &patch {
        Value::Null => Ok(None),
        Value::Array(operations) if operations.is_empty() => Ok(None),
        Value::Array(_) => Ok(Some(patch)),
        other => Err(undecodable(format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            warren_apimachinery::value::go_kind(other)
        ))),
    }
}

fn unfit(why: impl std::fmt::Display) -> Failure {
    Failure::Unfit(Status::internal(why))
}

/// An object stays of its kind; what a patch took of that is put back.
fn settle_type(kind: &GroupVersionKind, object: &mut Value) -> Result<(), Failure> {
    let api_version = match kind.group.as_str() {
        "" => kind.version.to_string(),
        group => format!("{group}/{}", kind.version),
    };
    for (pointer, expected) in [
        ("/apiVersion", api_version.as_str()),
        ("/kind", kind.kind.as_str()),
    ] {
        if object.at(pointer).is_null() || object.text(pointer).is_empty() {
            object.set(pointer, expected);
        }
    }
    let found = (object.text("/apiVersion"), object.text("/kind"));
    if found == (api_version.as_str(), kind.kind.as_str()) {
        return Ok(());
    }
    Err(unfit(format!(
        "no kind {:?} is registered for version {:?} in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\"",
        found.1, found.0
    )))
}
