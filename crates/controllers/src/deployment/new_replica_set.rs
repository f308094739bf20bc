//! The ReplicaSet of the current template: kept in step with the Deployment, or made.

use serde_json::{Map, Value, json};
use warren_apimachinery::resource::{DEPLOYMENTS, REPLICA_SETS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, StatusReason};
use warren_reconciler::{Part, ReconcileError};

use super::conditions::{self, ConditionStatus};
use super::replica_sets::{POD_TEMPLATE_HASH, ReplicaSet, bare_template};
use super::{Pass, RECORDER, replica_count, revision};
use crate::owner::{self, controller_reference};
use crate::pod_control::namespace_is_terminating;
use crate::{status, template_hash};

impl Pass<'_> {
    /// Brings annotations and `minReadySeconds` of the new set in step, and the Deployment's revision.
    pub(super) async fn sync_revision(&mut self) -> Result<(), ReconcileError> {
        let Some(new) = &self.sets.new else {
            return Ok(());
        };
        let annotations = self
            .deployment
            .parts
            .metadata
            .annotations
            .clone()
            .unwrap_or_default();
        let changes = revision::changes(&annotations, &new.annotations, self.newest_revision());
        let min_ready = i64::from(self.deployment.spec().min_ready_seconds.unwrap_or_default());
        if !changes.is_empty() || new.min_ready_seconds != min_ready {
            let patch = json!({
                "metadata": {"resourceVersion": new.object.meta().revision.to_string(), "annotations": changes},
                "spec": {"minReadySeconds": min_ready},
            });
            let key = new.object.key();
            let updated = self
                .cx
                .cluster
                .merge_patch(&REPLICA_SETS, &key, Part::Main, patch)
                .await?;
            self.sets.new = Some(ReplicaSet::of(updated)?);
        }
        self.note_new_set("FoundNewReplicaSet", "Found new replica set")
            .await
    }

    /// The number of the current template: one more than the largest of the others.
    fn newest_revision(&self) -> i64 {
        self.sets
            .old
            .iter()
            .map(ReplicaSet::revision)
            .max()
            .unwrap_or_default()
            + 1
    }

    /// Sets the Deployment's own revision, and the first `Progressing` condition.
    async fn note_new_set(&mut self, reason: &str, what: &str) -> Result<(), ReconcileError> {
        let Some(new) = &self.sets.new else {
            return Ok(());
        };
        let revision = new
            .annotations
            .get(revision::REVISION)
            .cloned()
            .unwrap_or_default();
        let message = format!("{what} {:?}", new.name());
        let key = self.deployment.object.key();
        if self.deployment.annotation(revision::REVISION) != Some(&revision) {
            let patch = json!({"metadata": {"annotations": {revision::REVISION: revision}}});
            let object = self
                .cx
                .cluster
                .merge_patch(&DEPLOYMENTS, &key, Part::Status, patch)
                .await?;
            self.refresh(object)?;
        }
        let progressing = conditions::find(&self.deployment.parts.status, "Progressing");
        let first = progressing.is_none() || reason == "NewReplicaSetCreated";
        if conditions::progress_deadline(&self.deployment).is_some() && first {
            let condition = conditions::progressing(ConditionStatus::True, reason, message, self.cx.now);
            self.write_condition(condition).await?;
        }
        Ok(())
    }

    /// Makes the new set, unless it is there.
    pub(super) async fn ensure_new_set(&mut self) -> Result<(), ReconcileError> {
        if self.sets.new.is_some() {
            return Ok(());
        }
        let (name, set) = self.desired_new_set();
        let size = set.int("/spec/replicas").unwrap_or_default();
        match self.cx.cluster.create(&REPLICA_SETS, set).await {
            Ok(object) => {
                self.sets.new = Some(ReplicaSet::of(object)?);
                if size > 0 {
                    let message = format!("Scaled up replica set {name} from 0 to {size}");
                    self.event("ScalingReplicaSet", message).await;
                }
                self.note_new_set("NewReplicaSetCreated", "Created new replica set")
                    .await
            }
            Err(refusal) if refusal.is(StatusReason::AlreadyExists) => self.name_is_taken(&name).await,
            Err(refusal) if namespace_is_terminating(&refusal) => {
                Err(ReconcileError::Never(refusal.to_string()))
            }
            Err(refusal) => self.creation_failed(&name, refusal).await,
        }
    }

    fn desired_new_set(&self) -> (String, Value) {
        let deployment = self.deployment.object.to_value();
        let spec = self.deployment.spec();
        let mut template = deployment.at("/spec/template").clone();
        let collisions = self.deployment.parts.status.collision_count.map(i64::from);
        let hash = template_hash::of(&bare_template(&template), collisions);
        template.set(&format!("/metadata/labels/{POD_TEMPLATE_HASH}"), hash.as_str());
        let mut selector = deployment.at("/spec/selector").clone();
        selector.set(&format!("/matchLabels/{POD_TEMPLATE_HASH}"), hash.as_str());
        let name = format!("{}-{hash}", self.deployment.name());
        let total = self.sets.all().map(|set| set.replicas).sum();
        let own = self
            .deployment
            .parts
            .metadata
            .annotations
            .clone()
            .unwrap_or_default();
        let mut annotations: Map<String, Value> =
            revision::changes(&own, &Default::default(), self.newest_revision());
        annotations.extend(self.sizes());
        let meta = self.deployment.object.meta();
        let set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": meta.namespace,
                "labels": template.at("/metadata/labels"),
                "annotations": annotations,
                "ownerReferences": [controller_reference(&DEPLOYMENTS, meta)],
            },
            "spec": {
                "replicas": replica_count::new_size(spec, 0, total),
                "minReadySeconds": spec.min_ready_seconds.unwrap_or_default(),
                "selector": selector,
                "template": template,
            },
        });
        (name, set)
    }

    /// The annotations of a set that is sized now.
    pub(super) fn sizes(&self) -> [(String, Value); 2] {
        let spec = self.deployment.spec();
        let wanted = replica_count::wanted(spec);
        revision::sizes(wanted, wanted + replica_count::max_surge(spec))
    }

    /// Another object has the name. If it is ours after all (the cache was behind), take it; else count the collision,
    /// which gives another name next time.
    async fn name_is_taken(&mut self, name: &str) -> Result<(), ReconcileError> {
        let meta = self.deployment.object.meta();
        let key = ObjectKey::namespaced(meta.namespace.clone(), name);
        let taken = self.cx.cluster.get(&REPLICA_SETS, &key);
        let template = |value: &Value| bare_template(value.at("/spec/template"));
        if let Some(set) = taken
            && owner::is_controlled_by(set.meta(), meta)
            && template(&set.to_value()) == template(&self.deployment.object.to_value())
        {
            self.sets.new = Some(ReplicaSet::of(set)?);
            return self.sync_revision().await;
        }
        let mut value = self.deployment.object.to_value().at("/status").clone();
        let collisions = value.int("/collisionCount").unwrap_or_default() + 1;
        value.set("/collisionCount", collisions);
        status::write(
            self.cx.cluster.as_ref(),
            &DEPLOYMENTS,
            &self.deployment.object,
            value,
        )
        .await?;
        Err(ReconcileError::Retry(format!(
            "a replica set {name:?} of another template exists"
        )))
    }

    async fn creation_failed(&mut self, name: &str, refusal: Status) -> Result<(), ReconcileError> {
        let message = format!("Failed to create new replica set {name:?}: {refusal}");
        let reason = "ReplicaSetCreateError";
        if conditions::progress_deadline(&self.deployment).is_some() {
            let condition =
                conditions::progressing(ConditionStatus::False, reason, message.clone(), self.cx.now);
            self.write_condition(condition).await?;
        }
        let about = RECORDER.about(self.cx, &DEPLOYMENTS, &self.deployment.object);
        about.warning(reason, message).await;
        Err(ReconcileError::Retry(refusal.to_string()))
    }
}
