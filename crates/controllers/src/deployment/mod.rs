//! Deployments: rollouts over ReplicaSets. Owns the shell; `replica_count` and `proportion` decide sizes, `revision`
//! what a ReplicaSet says of its place in history, `conditions` and `status` what is told.

mod conditions;
mod history;
mod new_replica_set;
mod proportion;
mod replica_count;
mod replica_sets;
mod revision;
mod rollout;
mod status;

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStatus};
use serde_json::json;
use warren_apimachinery::resource::{DEPLOYMENTS, PODS, REPLICA_SETS};
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::label_selector;
use crate::owner;
use crate::view::{Parts, view};
use warren_reconciler::event::Recorder;

use replica_sets::ReplicaSet;

const RECORDER: Recorder = Recorder {
    component: "deployment-controller",
};

/// The controller.
pub(crate) struct Deployments;

/// A Deployment as a pass sees it.
struct Deployment {
    object: Arc<Object>,
    parts: Parts<DeploymentSpec, DeploymentStatus>,
}

impl Deployment {
    fn of(object: Arc<Object>) -> Result<Self, ReconcileError> {
        let parts = view(&object)?;
        Ok(Self { object, parts })
    }

    fn name(&self) -> &str {
        &self.object.meta().name
    }

    fn spec(&self) -> &DeploymentSpec {
        &self.parts.spec
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        let annotations = self.parts.metadata.annotations.as_ref()?;
        annotations.get(name).map(String::as_str)
    }

    fn is_recreate(&self) -> bool {
        let strategy = self
            .spec()
            .strategy
            .as_ref()
            .and_then(|strategy| strategy.type_.as_deref());
        strategy == Some("Recreate")
    }

    fn is_paused(&self) -> bool {
        self.spec().paused.unwrap_or_default()
    }
}

/// The ReplicaSets of a Deployment, told apart.
struct Sets {
    /// That of the current template, if it exists.
    new: Option<ReplicaSet>,
    /// The others.
    old: Vec<ReplicaSet>,
}

impl Sets {
    fn all(&self) -> impl Iterator<Item = &ReplicaSet> + Clone {
        self.old.iter().chain(&self.new)
    }

    fn active(&self) -> impl Iterator<Item = &ReplicaSet> + Clone {
        self.all().filter(|set| set.replicas > 0)
    }
}

/// One pass over one Deployment.
struct Pass<'a> {
    cx: &'a Context,
    deployment: Deployment,
    sets: Sets,
}

#[async_trait]
impl Reconciler for Deployments {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn watches(&self) -> &'static [Resource] {
        &[DEPLOYMENTS, REPLICA_SETS, PODS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if DEPLOYMENTS.is(&change.resource) {
            out.add(change.object.key());
        } else if REPLICA_SETS.is(&change.resource) {
            owner::trigger(change, cluster, &DEPLOYMENTS, out);
        } else if change.deleted {
            // A Recreate rollout waits for the last old pod.
            let set = owner::controller_key(change.object.meta(), &REPLICA_SETS)
                .and_then(|key| cluster.get(&REPLICA_SETS, &key));
            if let Some(key) = set.and_then(|set| owner::controller_key(set.meta(), &DEPLOYMENTS)) {
                out.add(key);
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&DEPLOYMENTS, key) else {
            return Ok(Next::Wait);
        };
        let deployment = Deployment::of(object)?;
        let selector = label_selector::of(&deployment.spec().selector);
        if selector.is_everything() {
            return selecting_all(cx, &deployment).await;
        }
        let cluster = cx.cluster.as_ref();
        let candidates = cluster.list(&REPLICA_SETS, Some(&key.namespace));
        let owner = (&DEPLOYMENTS, deployment.object.meta());
        let claimed = owner::claim(cluster, owner, &selector, (&REPLICA_SETS, candidates)).await?;
        let sets = claimed
            .into_iter()
            .map(ReplicaSet::of)
            .collect::<Result<Vec<_>, _>>()?;
        let sets = replica_sets::split(&deployment.object, sets);
        let pass = Pass { cx, deployment, sets };
        pass.run().await
    }
}

async fn selecting_all(cx: &Context, deployment: &Deployment) -> Result<Next, ReconcileError> {
    let generation = deployment.parts.metadata.generation;
    if deployment.parts.status.observed_generation.unwrap_or_default() < generation.unwrap_or_default() {
        let message = "This deployment is selecting all pods. A non-empty selector is required.";
        let about = RECORDER.about(cx, &DEPLOYMENTS, &deployment.object);
        about.warning("SelectingAll", message).await;
        let patch = json!({"status": {"observedGeneration": generation}});
        let key = deployment.object.key();
        cx.cluster
            .merge_patch(&DEPLOYMENTS, &key, Part::Status, patch)
            .await?;
    }
    Ok(Next::Wait)
}

impl Pass<'_> {
    async fn run(mut self) -> Result<Next, ReconcileError> {
        if self.deployment.object.meta().deleting {
            return self.sync_status().await;
        }
        self.check_paused().await?;
        if self.deployment.is_paused() || self.is_scaling() {
            return self.sync().await;
        }
        if self.deployment.is_recreate() {
            self.recreate().await
        } else {
            self.roll().await
        }
    }

    /// Whether the size that was asked for changed since the ReplicaSets were last sized.
    fn is_scaling(&self) -> bool {
        let wanted = replica_count::wanted(&self.deployment.parts.spec);
        self.sets
            .active()
            .any(|set| set.desired().is_some_and(|desired| desired != wanted))
    }

    /// Takes the state of the Deployment after an own write.
    fn refresh(&mut self, object: Arc<Object>) -> Result<(), ReconcileError> {
        self.deployment = Deployment::of(object)?;
        Ok(())
    }

    async fn event(&self, reason: &str, message: String) {
        let about = RECORDER.about(self.cx, &DEPLOYMENTS, &self.deployment.object);
        about.normal(reason, message).await;
    }
}

#[cfg(test)]
mod tests;
