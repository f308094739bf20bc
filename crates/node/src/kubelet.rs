//! The reconciler that plays the kubelet of every simulated node.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use serde_json::{Value, json};
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason, resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::addresses::Addresses;
use crate::pod::{Surroundings, advance};
use crate::registration::{address, is_simulated, number};
use crate::{deletion, events, references};

const EVENTS: Recorder = Recorder { component: "kubelet" };
/// A pod whose references are missing is looked at again even if nothing tells of them.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// One for the whole embedded host.
#[derive(Default)]
pub struct Kubelet {
    addresses: Addresses,
}

#[async_trait]
impl Reconciler for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn actor(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[
            resource::PODS,
            resource::CONFIG_MAPS,
            resource::SECRETS,
            resource::PERSISTENT_VOLUME_CLAIMS,
        ];
        WATCHES
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if resource::PODS.is(&change.resource) {
            if !change.deleted && is_bound(&change.object) {
                out.add(change.object.key());
            }
            return;
        }
        // What a pod waited for may be there now; pods that run do not look again.
        let fresh = change.previous.is_none() && !change.deleted;
        if fresh || resource::CONFIG_MAPS.is(&change.resource) || resource::SECRETS.is(&change.resource) {
            let pods = cluster.list(&resource::PODS, Some(&change.object.meta().namespace));
            for pod in pods
                .iter()
                .filter(|pod| pod.meta().field("status.phase") == Some("Pending"))
            {
                if is_bound(pod) {
                    out.add(pod.key());
                }
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&resource::PODS, key) else {
            return Ok(Next::Wait);
        };
        let node_name = object
            .meta()
            .field("spec.nodeName")
            .unwrap_or_default()
            .to_owned();
        let node = cx
            .cluster
            .get(&resource::NODES, &ObjectKey::cluster(node_name.as_str()));
        if !node.is_some_and(|node| is_simulated(&node)) {
            return Ok(Next::Wait);
        }
        let pod: Pod = object.view().map_err(|error| {
            ReconcileError::Never(format!("the pod has a shape no kubelet knows: {error}"))
        })?;
        if object.meta().deleting {
            return self.end(cx, &object, &pod, &node_name).await;
        }
        if matches!(object.meta().field("status.phase"), Some("Succeeded" | "Failed")) {
            return Ok(Next::Wait);
        }
        self.live(cx, &object, &pod, &node_name).await
    }
}

impl Kubelet {
    async fn live(
        &self,
        cx: &Context,
        object: &Object,
        pod: &Pod,
        node: &str,
    ) -> Result<Next, ReconcileError> {
        let Some(spec) = pod.spec.as_ref() else {
            return Ok(Next::Wait);
        };
        if let Some(deadline) = deadline(pod)
            && deadline <= cx.now
        {
            return self.expire(cx, object, pod).await;
        }
        let missing = references::missing(cx.cluster.as_ref(), &object.meta().namespace, spec);
        let last = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
        let pod_ip = if spec.host_network == Some(true) {
            Some(address(node))
        } else {
            self.addresses.of(cx.cluster.as_ref(), object, last, number(node))
        };
        let around = Surroundings {
            node_ip: address(node),
            pod_ip: pod_ip.unwrap_or_default(),
            unmounted: !missing.volumes.is_empty(),
            broken: missing.environments,
        };
        let outcome = advance(pod, &around, cx.now);
        let waits = around.unmounted || !around.broken.is_empty();
        if pod.status.as_ref() != Some(&outcome.status) {
            report(cx, object, &outcome.status).await?;
            tell(cx, object, pod, &outcome.status, node).await;
        }
        let about = EVENTS.about(cx, &resource::PODS, object).from_host(node);
        for (volume, why) in &missing.volumes {
            about
                .warning(
                    "FailedMount",
                    format!("MountVolume.SetUp failed for volume \"{volume}\" : {why}"),
                )
                .await;
        }
        let wakes = [outcome.wake, deadline(pod)].into_iter().flatten().min();
        Ok(match wakes {
            Some(at) => Next::After(until(cx.now, at)),
            None if waits => Next::After(LOOK_AGAIN),
            None => Next::Wait,
        })
    }

    /// Stops the containers, then removes the object as a kubelet does: with a grace period of 0.
    async fn end(
        &self,
        cx: &Context,
        object: &Object,
        pod: &Pod,
        node: &str,
    ) -> Result<Next, ReconcileError> {
        let stop_at = deleted_at(pod).and_then(|asked| {
            asked
                .checked_add(Duration::from_secs(deletion::stop_takes(pod).unsigned_abs()))
                .ok()
        });
        if let Some(at) = stop_at.filter(|at| *at > cx.now) {
            return Ok(Next::After(until(cx.now, at)));
        }
        let stopping = deletion::running(pod);
        if let Some(status) = deletion::stop(pod, cx.now) {
            report(cx, object, &status).await?;
            for name in stopping {
                let field = format!("spec.containers{{{name}}}");
                let about = EVENTS
                    .about_reference(cx, involved(object, &field))
                    .from_host(node);
                about
                    .normal("Killing", format!("Stopping container {name}"))
                    .await;
            }
        }
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(object.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        gone(cx.cluster.delete(&resource::PODS, &object.key(), options).await)?;
        Ok(Next::Wait)
    }

    /// `activeDeadlineSeconds` is over.
    async fn expire(&self, cx: &Context, object: &Object, pod: &Pod) -> Result<Next, ReconcileError> {
        let mut status = deletion::stop(pod, cx.now)
            .or_else(|| pod.status.clone())
            .unwrap_or_default();
        status.phase = Some("Failed".to_owned());
        status.reason = Some("DeadlineExceeded".to_owned());
        status.message = Some("Pod was active on the node longer than the specified deadline".to_owned());
        report(cx, object, &status).await?;
        Ok(Next::Wait)
    }
}

fn is_bound(pod: &Object) -> bool {
    pod.meta()
        .field("spec.nodeName")
        .is_some_and(|node| !node.is_empty())
}

/// Writes what the status holds and leaves the rest of it alone.
async fn report(cx: &Context, object: &Object, status: &PodStatus) -> Result<(), Status> {
    let value = serde_json::to_value(status).map_err(Status::internal)?;
    let patch = json!({"metadata": {"uid": object.meta().uid}, "status": value});
    gone(
        cx.cluster
            .merge_patch(&resource::PODS, &object.key(), Part::Status, patch)
            .await
            .map(|_| ()),
    )
}

/// A pod that is gone, or is another one of the same name by now, needs nothing more.
fn gone(result: Result<(), Status>) -> Result<(), Status> {
    match result {
        Err(status) if status.is(StatusReason::NotFound) || status.is(StatusReason::Conflict) => Ok(()),
        other => other,
    }
}

async fn tell(cx: &Context, object: &Object, pod: &Pod, status: &PodStatus, node: &str) {
    for told in events::told(pod, status) {
        let about = EVENTS
            .about_reference(cx, involved(object, &told.field))
            .from_host(node);
        if told.warning {
            about.warning(told.reason, told.message).await;
        } else {
            about.normal(told.reason, told.message).await;
        }
    }
}

fn involved(object: &Object, field: &str) -> Value {
    let meta = object.meta();
    json!({"apiVersion": "v1", "kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid,
        "resourceVersion": meta.revision.to_string(), "fieldPath": field})
}

/// When `activeDeadlineSeconds` is over.
fn deadline(pod: &Pod) -> Option<Timestamp> {
    let seconds = u64::try_from(pod.spec.as_ref()?.active_deadline_seconds?).ok()?;
    let started = pod.status.as_ref()?.start_time.as_ref()?.0;
    started.checked_add(Duration::from_secs(seconds)).ok()
}

/// When the deletion was asked for: `deletionTimestamp` is that plus the grace period.
fn deleted_at(pod: &Pod) -> Option<Timestamp> {
    let grace =
        u64::try_from(pod.metadata.deletion_grace_period_seconds.unwrap_or_default()).unwrap_or_default();
    pod.metadata
        .deletion_timestamp
        .as_ref()?
        .0
        .checked_sub(Duration::from_secs(grace))
        .ok()
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}
