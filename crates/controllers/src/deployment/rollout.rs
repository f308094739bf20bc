//! The steps of a rollout: one size changes, then the status is told; the next pass takes the next step.

use serde_json::{Map, Value, json};
use warren_apimachinery::resource::REPLICA_SETS;
use warren_reconciler::{Next, Part, ReconcileError};

use super::replica_sets::ReplicaSet;
use super::{Pass, proportion, replica_count};
use crate::owner;
use crate::pod;

impl Pass<'_> {
    /// Paused, or a changed size: scales what is there and starts nothing new.
    pub(super) async fn sync(mut self) -> Result<Next, ReconcileError> {
        self.sync_revision().await?;
        let actual = i64::from(self.deployment.parts.status.replicas.unwrap_or_default());
        let plan: Vec<(ReplicaSet, i64)> = proportion::sizes(self.deployment.spec(), &self.sets, actual)
            .into_iter()
            .map(|(set, size)| (set.clone(), size))
            .collect();
        for (set, size) in plan {
            self.resize(&set, size).await?;
        }
        if self.deployment.is_paused() {
            self.clean_up().await?;
        }
        self.sync_status().await
    }

    /// New pods come before old ones go, within surge and unavailability.
    pub(super) async fn roll(mut self) -> Result<Next, ReconcileError> {
        self.sync_revision().await?;
        self.ensure_new_set().await?;
        let Some(new) = self.sets.new.clone() else {
            return self.sync_rollout_status().await;
        };
        let spec = self.deployment.spec();
        let total = self.sets.all().map(|set| set.replicas).sum();
        let size = replica_count::new_size(spec, new.replicas, total);
        if size != new.replicas {
            self.resize(&new, size).await?;
            return self.sync_rollout_status().await;
        }
        let active: Vec<ReplicaSet> = self
            .sets
            .old
            .iter()
            .filter(|set| set.replicas > 0)
            .cloned()
            .collect();
        let sizes = replica_count::old_sizes(spec, &active, &new);
        let mut scaled = false;
        for (set, size) in active
            .iter()
            .zip(sizes)
            .filter(|(set, size)| set.replicas != *size)
        {
            self.resize(set, size).await?;
            scaled = true;
        }
        if !scaled && self.is_complete() {
            self.clean_up().await?;
        }
        self.sync_rollout_status().await
    }

    /// All old pods go before the first new one comes.
    pub(super) async fn recreate(mut self) -> Result<Next, ReconcileError> {
        self.sync_revision().await?;
        let active: Vec<ReplicaSet> = self
            .sets
            .old
            .iter()
            .filter(|set| set.replicas > 0)
            .cloned()
            .collect();
        for set in &active {
            self.resize(set, 0).await?;
        }
        if !active.is_empty() || self.old_pods_run() {
            return self.sync_rollout_status().await;
        }
        self.ensure_new_set().await?;
        let wanted = replica_count::wanted(self.deployment.spec());
        if let Some(new) = self.sets.new.clone().filter(|new| new.replicas != wanted) {
            self.resize(&new, wanted).await?;
        }
        if self.is_complete() {
            self.clean_up().await?;
        }
        self.sync_rollout_status().await
    }

    /// Whether a pod of an old set has not ended.
    fn old_pods_run(&self) -> bool {
        let of_old = |uid: &str| self.sets.old.iter().any(|set| set.object.meta().uid == uid);
        let cluster = self.cx.cluster.as_ref();
        let pods = pod::list(cluster, &self.deployment.object.meta().namespace, |meta| {
            meta.controller()
                .is_some_and(|owner| owner::names(owner, &REPLICA_SETS) && of_old(&owner.uid))
        });
        self.sets.old.iter().any(|set| set.actual > 0) || pods.iter().any(|pod| !pod.is_terminal())
    }

    /// Sizes a set and notes for which size of the Deployment.
    async fn resize(&mut self, set: &ReplicaSet, size: i64) -> Result<(), ReconcileError> {
        let annotations: Map<String, Value> = self.sizes().into_iter().collect();
        let noted = annotations
            .iter()
            .all(|(name, value)| set.annotations.get(name).map(String::as_str) == value.as_str());
        if set.replicas == size && noted {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"resourceVersion": set.object.meta().revision.to_string(), "annotations": annotations},
            "spec": {"replicas": size},
        });
        let key = set.object.key();
        let updated = self
            .cx
            .cluster
            .merge_patch(&REPLICA_SETS, &key, Part::Main, patch)
            .await?;
        if set.replicas != size {
            let direction = if size > set.replicas { "up" } else { "down" };
            let (name, from) = (set.name(), set.replicas);
            let message = format!("Scaled {direction} replica set {name} from {from} to {size}");
            self.event("ScalingReplicaSet", message).await;
        }
        let updated = ReplicaSet::of(updated)?;
        for slot in self.sets.old.iter_mut().chain(&mut self.sets.new) {
            if slot.object.meta().uid == updated.object.meta().uid {
                *slot = updated;
                break;
            }
        }
        Ok(())
    }
}
