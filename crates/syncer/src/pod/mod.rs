//! Pods: what makes a virtual cluster run anything. `decide` says what is to be done, `host_pod` what the host pod looks
//! like, `follow` what later changes make of it, `status` what comes back. Owns the shell around them: `create`, `carry`
//! and `report` do it.

mod carry;
mod create;
mod decide;
mod dns;
mod downward;
mod echo;
pub(crate) mod enforced;
mod env;
mod follow;
mod guard;
mod host_pod;
mod hostname;
mod needs;
mod paused;
pub(crate) mod references;
mod report;
mod scheduling;
mod status;
mod surroundings;
pub(crate) mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::binding::Bindings;
use crate::sides::{ACTOR, Claim, Sides, trigger};
use decide::{HostPod, Step, decide};
use paused::decide_paused;

pub(crate) use enforced::tolerates;
pub(crate) use report::pod_wording;

const PODS: Resource = resource::PODS;

const RETRY_TAKEN: Duration = Duration::from_secs(30);

/// The rule.
pub(crate) struct Pods {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for Pods {
    fn name(&self) -> &'static str {
        "sync-pods"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[
            PODS,
            resource::NAMESPACES,
            resource::CONFIG_MAPS,
            resource::SECRETS,
            resource::PERSISTENT_VOLUME_CLAIMS,
        ]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if PODS.is(&change.resource) {
            let previous = change.previous.as_deref().filter(|_| !change.deleted);
            let is_echo = |before| echo::is_echo(before, &change.object);
            if self.bindings.of_virtual(&change.cluster).is_none() || !previous.is_some_and(is_echo) {
                trigger(self.bindings.as_ref(), &PODS, change, out);
            }
            return;
        }
        if self.bindings.of_virtual(&change.cluster).is_none() {
            return;
        }
        match &change.previous {
            // Host pods carry the labels of their virtual namespace.
            Some(previous)
                if resource::NAMESPACES.is(&change.resource)
                    && previous.meta().labels != change.object.meta().labels =>
            {
                let pods = cluster.list(&PODS, Some(&change.object.meta().name));
                pods.iter().for_each(|pod| out.add(pod.key()));
            }
            None if !change.deleted && !resource::NAMESPACES.is(&change.resource) => {
                needs::trigger_waiting(&change.object, cluster, out);
            }
            _ => {}
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if !sides.binding.spec.sync.to_host.pods.enabled {
            return Ok(Next::Wait);
        }
        let object = cx.cluster.get(&PODS, key);
        let claim = sides.claim(&PODS, key);
        let pod = object.as_ref().map(|object| object.to_value());
        let host = match &claim {
            Claim::Ours { object, .. } => object.to_value(),
            _ => Value::Null,
        };
        let host_pod = match &claim {
            Claim::Absent => HostPod::Absent,
            Claim::Foreign => HostPod::Foreign,
            Claim::Ours { uid, .. } => HostPod::Ours(&host, uid),
        };
        let step = match sides.binding.spec.paused {
            true => decide_paused(pod.as_ref(), host_pod),
            false => decide(pod.as_ref(), host_pod),
        };
        let pass = match (object, pod) {
            (Some(object), Some(pod)) => Pass { sides, object, pod },
            _ => {
                if let (Step::DeleteHost(grace), Claim::Ours { object, .. }) = (step, &claim) {
                    sides.delete_host(&PODS, object, grace).await?;
                }
                return Ok(Next::Wait);
            }
        };
        pass.take(step, &claim, &host).await
    }
}

/// A pass over a virtual pod that is there.
struct Pass<'a> {
    sides: Sides<'a>,
    object: Arc<Object>,
    pod: Value,
}

impl Pass<'_> {
    async fn take(&self, step: Step, claim: &Claim, host: &Value) -> Result<Next, ReconcileError> {
        match (step, claim) {
            (Step::Create, _) => return self.create().await,
            (Step::Taken, _) => {
                self.sides.taken(&PODS, &self.object).await;
                // Nobody tells us when a foreign object goes.
                return Ok(Next::After(RETRY_TAKEN));
            }
            (Step::DeleteHost(grace), Claim::Ours { object, .. }) => {
                self.sides.delete_host(&PODS, object, grace).await?;
            }
            (Step::DeleteVirtual(grace), Claim::Ours { .. }) => {
                self.report(host).await?;
                self.sides.delete_virtual(&PODS, &self.object, grace).await?;
            }
            (Step::DeleteVirtual(grace), _) => {
                self.tell_the_end().await?;
                self.sides.delete_virtual(&PODS, &self.object, grace).await?;
            }
            (Step::Watch, _) => self.report(host).await?,
            (Step::Rest, _) => self.rest().await?,
            (Step::Keep, Claim::Ours { object, .. }) => {
                self.keep().await?;
                self.sides.delete_host(&PODS, object, None).await?;
            }
            (Step::Follow, _) => return self.both(host).await,
            (Step::Nothing | Step::DeleteHost(_) | Step::Keep, _) => {}
        }
        Ok(Next::Wait)
    }

    /// Marks the virtual pod, which is over.
    async fn keep(&self) -> Result<(), ReconcileError> {
        let patch = json!({"metadata": {"resourceVersion": self.pod.text("/metadata/resourceVersion")},
            "status": {"conditions": paused::kept_conditions(&self.pod)}});
        let cluster = self.sides.virtual_cluster;
        match cluster
            .merge_patch(&PODS, &self.object.key(), Part::Status, patch)
            .await
        {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(()),
        }
    }

    /// Takes the virtual pod off its node.
    async fn rest(&self) -> Result<(), ReconcileError> {
        let (key, why) = (self.object.key(), paused::unbinding(&self.pod));
        match self
            .sides
            .virtual_cluster
            .post(&PODS, &key, "unbinding", why)
            .await
        {
            Err(status) if status.is(StatusReason::NotFound) || status.is(StatusReason::Conflict) => Ok(()),
            unbound => unbound.map(|_| ()).map_err(ReconcileError::Api),
        }
    }
}

fn next(after: Option<Duration>) -> Next {
    after.map_or(Next::Wait, Next::After)
}
