//! ReplicaSets, and ReplicationControllers, their elders: as many pods of a template as asked for. Owns the shell; `ranking` decides which pods go, `status`
//! what is told.

mod ranking;
mod status;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::ReplicaSetStatus;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::Deserialize;
use warren_apimachinery::resource::{DEPLOYMENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object, ObjectKey, Resource, Status};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::label_selector::{self, Selector};
use crate::owner;
use crate::pod::{self, Pod};
use crate::pod_control::{self, BURST, PodControl};
use crate::view::{Parts, view};
use warren_reconciler::event::Recorder;

/// Controls ReplicaSets.
pub(crate) struct ReplicaSets;

/// Controls ReplicationControllers.
pub(crate) struct ReplicationControllers;

/// What differs between the two.
struct Kind {
    resource: &'static Resource,
    recorder: Recorder,
    /// Whether the status counts pods that are going.
    tells_terminating: bool,
}

const REPLICA_SET: Kind = Kind {
    resource: &REPLICA_SETS,
    recorder: Recorder {
        component: "replicaset-controller",
    },
    tells_terminating: true,
};

const REPLICATION_CONTROLLER: Kind = Kind {
    resource: &REPLICATION_CONTROLLERS,
    recorder: Recorder {
        component: "replication-controller",
    },
    tells_terminating: false,
};

type ReplicaSet = Parts<Spec, ReplicaSetStatus>;

/// What the specs of both have in common; their selectors are read apart.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    replicas: Option<i32>,
    min_ready_seconds: Option<i32>,
    template: Option<PodTemplateSpec>,
}

/// How many pods come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Keep,
    Create(usize),
    Delete(usize),
}

/// From how many active pods there are to how many are wanted, at most `BURST` at once.
fn scale(active: usize, wanted: usize) -> Scale {
    match active.cmp(&wanted) {
        std::cmp::Ordering::Less => Scale::Create((wanted - active).min(BURST)),
        std::cmp::Ordering::Equal => Scale::Keep,
        std::cmp::Ordering::Greater => Scale::Delete((active - wanted).min(BURST)),
    }
}

#[async_trait]
impl Reconciler for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicaset"
    }

    fn watches(&self) -> &'static [Resource] {
        &[REPLICA_SETS, PODS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if REPLICA_SETS.is(&change.resource) {
            out.add(change.object.key());
        } else {
            owner::trigger(change, cluster, &REPLICA_SETS, out);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        sync(&REPLICA_SET, cx, key).await
    }
}

#[async_trait]
impl Reconciler for ReplicationControllers {
    fn name(&self) -> &'static str {
        "replicationcontroller"
    }

    fn watches(&self) -> &'static [Resource] {
        &[REPLICATION_CONTROLLERS, PODS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if REPLICATION_CONTROLLERS.is(&change.resource) {
            out.add(change.object.key());
        } else {
            owner::trigger(change, cluster, &REPLICATION_CONTROLLERS, out);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        sync(&REPLICATION_CONTROLLER, cx, key).await
    }
}

async fn sync(kind: &Kind, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
    let cluster = cx.cluster.as_ref();
    let Some(object) = cluster.get(kind.resource, key) else {
        return Ok(Next::Wait);
    };
    let set: ReplicaSet = view(&object)?;
    let selector = label_selector::of_object(&object);
    let pods = pod::list(cluster, &key.namespace, |meta| {
        concerns(meta, object.meta(), &selector)
    });
    let (active, ended): (Vec<_>, Vec<_>) = pods.into_iter().partition(Pod::is_active);
    let objects = active.into_iter().map(|pod| pod.object).collect();
    let owner = (kind.resource, object.meta());
    let claimed = owner::claim(cluster, owner, &selector, (&PODS, objects)).await?;
    let active: Vec<Pod> = claimed.into_iter().map(Pod::of).collect();
    let terminating = ended
        .iter()
        .filter(|pod| pod.is_terminating() && owner::is_controlled_by(pod.meta(), object.meta()))
        .count();

    let wanted = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or_default();
    let mut failure = None;
    let plan = scale(active.len(), wanted);
    if !object.meta().deleting {
        failure = carry_out(kind, cx, &object, (&active, plan)).await.err();
    }
    let observed = status::Observed {
        set: &set,
        active: &active,
        terminating: kind.tells_terminating.then_some(terminating),
        failure: failure.as_ref().map(|status| (plan, status.message())),
        now: cx.now,
    };
    crate::status::write(cluster, kind.resource, &object, status::decide(&observed)).await?;
    match failure {
        Some(status) => Err(ReconcileError::Retry(status.to_string())),
        None => Ok(status::next(&observed)),
    }
}

/// Pods that are worth parsing: its own, and those it might adopt.
fn concerns(pod: &Meta, set: &Meta, selector: &Selector) -> bool {
    match pod.controller() {
        Some(reference) => reference.uid == set.uid,
        None => selector.matches(pod),
    }
}

async fn carry_out(
    kind: &Kind,
    cx: &Context,
    set: &Object,
    (active, plan): (&[Pod], Scale),
) -> Result<(), Status> {
    let control = PodControl {
        cx,
        recorder: kind.recorder,
        resource: kind.resource,
        owner: set,
    };
    match plan {
        Scale::Keep => {}
        Scale::Create(count) => {
            let template = set.to_value();
            let mut pod = pod_control::from_template(kind.resource, set, template.at("/spec/template"));
            pod.set(
                "/metadata/generateName",
                pod_control::generate_name(&set.meta().name),
            );
            control.create_all(vec![pod; count]).await?;
        }
        Scale::Delete(count) => {
            let related = if count < active.len() {
                related(cx, set)
            } else {
                Vec::new()
            };
            for pod in ranking::first_to_go(active, &related, count, cx.now) {
                control.delete(&pod.object).await?;
            }
        }
    }
    Ok(())
}

/// The active pods of all ReplicaSets with the same controller: what spreads over nodes together.
fn related(cx: &Context, set: &Object) -> Vec<Pod> {
    let cluster = cx.cluster.as_ref();
    let Some(controller) = set
        .meta()
        .controller()
        .filter(|owner| owner::names(owner, &DEPLOYMENTS))
    else {
        return pod::list(cluster, &set.meta().namespace, |meta| {
            owner::is_controlled_by(meta, set.meta())
        });
    };
    let sets = cluster.list(&REPLICA_SETS, Some(&set.meta().namespace));
    let uids: Vec<_> = sets
        .iter()
        .filter(|other| {
            other
                .meta()
                .controller()
                .is_some_and(|owner| owner.uid == controller.uid)
        })
        .map(|other| other.meta().uid.clone())
        .collect();
    pod::list(cluster, &set.meta().namespace, |meta| {
        meta.controller().is_some_and(|owner| uids.contains(&owner.uid))
    })
}

#[cfg(test)]
mod tests;
