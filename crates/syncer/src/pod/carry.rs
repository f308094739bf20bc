//! What a tenant changes in a pod that has its host pod, and what the host makes of it.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::StatusReason;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::{Next, Part, ReconcileError};

use super::surroundings::{self, surroundings};
use super::{PODS, Pass, downward, enforced, follow, guard, host_pod, next, scheduling, status, token};
use crate::applied::{APPLIED, Applied, Parts, label_part};

impl Pass<'_> {
    /// Both pods live. What the host does not take keeps nothing of what it says from the tenant.
    pub(super) async fn both(&self, host: &Value) -> Result<Next, ReconcileError> {
        let running = !matches!(host.text("/status/phase"), "Succeeded" | "Failed");
        let kept = match running {
            true => token::keep(&self.sides, &self.object, &self.pod).await,
            false => Ok(None),
        };
        let carried = self.carry(host).await;
        // What the host says counts for what it has now.
        let written = carried.as_ref().ok().and_then(Option::as_ref);
        self.report(written.unwrap_or(host)).await?;
        carried?;
        Ok(next(kept?))
    }

    /// Virtual → host. Answers the host pod if it was written.
    async fn carry(&self, host: &Value) -> Result<Option<Value>, ReconcileError> {
        let base = Applied::read(host);
        let parts = self.parts(host, &base);
        let changes = follow::changes(&self.pod, host, &base, &parts);
        let new: Vec<&Value> = follow::new_ephemeral_containers(&self.pod, host).collect();
        let mut written = None;
        if !new.is_empty() {
            let patch = self.ephemeral_patch(host, &new).await?;
            let part = Part::Sub("ephemeralcontainers");
            written = Some(self.patch_host(host, part, patch).await?);
        }
        for (part, patch) in [
            (Part::Sub("resize"), changes.resize),
            (Part::Status, changes.status),
        ] {
            if let Some(patch) = patch {
                let current = written.as_ref().unwrap_or(host);
                written = Some(self.patch_host(current, part, patch).await?);
            }
        }
        if changes.main.is_some() || changes.base {
            let main = match &written {
                None => changes.main,
                Some(host) => follow::changes(&self.pod, host, &base, &parts).main,
            };
            let mut patch = main.unwrap_or_else(|| json!({}));
            if let Some(annotations) = patch.object_at("/metadata/annotations") {
                annotations.insert(APPLIED.to_owned(), Applied::of(&parts).to_text().into());
            }
            let current = written.as_ref().unwrap_or(host);
            written = Some(self.patch_host(current, Part::Main, patch).await?);
        }
        Ok(written)
    }

    /// What the virtual pod wants of the parts that may still change.
    fn parts(&self, host: &Value, base: &Applied) -> Parts {
        let binding = &self.sides.binding;
        let labels = surroundings::namespace_labels(&self.sides, &self.object.meta().namespace);
        let mut metadata = host_pod::metadata(binding, &self.pod, &labels);
        downward::annotate_only(&binding.tenant, &self.pod, &mut metadata);
        let mut placed = Value::Null;
        let may_move = !self.pod.items("/spec/schedulingGates").is_empty()
            || follow::PLACEMENT.iter().any(|field| base.knows(field));
        if may_move {
            placed = self.pod.at("/spec").clone();
            let namespaces = surroundings::namespaces(&self.sides, &self.pod);
            scheduling::translate(&binding.tenant, &self.pod, &mut placed, &namespaces);
            enforced::node_selector(&binding.spec, &mut placed);
        }
        let mut parts = follow::parts(binding, &self.pod, &metadata, &placed);
        // What came from the host with the node is no wish of the tenant.
        for key in status::TOPOLOGY {
            let path = label_part(key);
            if !base.knows(&path) && parts.get(&path) == Some(host.at("/metadata/labels").field(key)) {
                parts.remove(&path);
            }
        }
        parts
    }

    async fn ephemeral_patch(&self, host: &Value, new: &[&Value]) -> Result<Value, ReconcileError> {
        let pod = json!({"spec": {"ephemeralContainers": new}});
        let refused = guard::forbidden(&self.sides.binding, pod.at("/spec"));
        if !refused.is_empty() {
            let message = format!(
                "The container cannot run: {} is not allowed on the host cluster",
                refused.join(", ")
            );
            self.sides.warn(&PODS, &self.object, &message).await;
            return Err(ReconcileError::Never(message));
        }
        self.ensure_references(&pod).await?;
        let around = surroundings(&self.sides, &self.pod)?;
        let mut all = host.items("/spec/ephemeralContainers").to_vec();
        let binding = &self.sides.binding;
        let made = new
            .iter()
            .map(|one| host_pod::ephemeral_container(binding, &self.pod, one, &around));
        all.extend(made);
        Ok(json!({"spec": {"ephemeralContainers": all}}))
    }

    /// Lists are replaced as a whole, so only what was looked at is patched.
    async fn patch_host(&self, host: &Value, part: Part, mut patch: Value) -> Result<Value, ReconcileError> {
        let key = host_pod::pod_key(host);
        patch.set(
            "/metadata/resourceVersion",
            host.text("/metadata/resourceVersion"),
        );
        match self.sides.host.merge_patch(&PODS, &key, part, patch).await {
            Ok(written) => Ok(written.to_value()),
            Err(status) => match part {
                Part::Sub(name) if is_unknown(&status) => Err(self.unknown_to_host(name).await),
                _ => Err(self.sides.refused(&PODS, &self.object, status).await),
            },
        }
    }

    /// An older host lacks a subresource: nothing to be tried again.
    async fn unknown_to_host(&self, subresource: &str) -> ReconcileError {
        let what = match subresource {
            "resize" => "cannot resize pods in place",
            _ => "does not know ephemeral containers",
        };
        let message = format!("The host cluster {what}");
        self.sides.warn(&PODS, &self.object, &message).await;
        ReconcileError::Never(message)
    }
}

/// Whether it is the path that was not found, not the pod.
fn is_unknown(status: &Status) -> bool {
    let names_object = status.details().is_some_and(|details| !details.name.is_empty());
    status.is(StatusReason::MethodNotAllowed) || (status.is(StatusReason::NotFound) && !names_object)
}
