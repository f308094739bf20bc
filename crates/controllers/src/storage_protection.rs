//! Claims in use and bound volumes are not removed: their protection finalizers stay as long as that, and are put on
//! objects that came without them.

use async_trait::async_trait;
use serde_json::json;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::pod::{self, Pod};

const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// Protects claims that pods use.
pub(crate) struct ClaimProtection;

/// Protects volumes that are bound.
pub(crate) struct VolumeProtection;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Protect,
    LetGo,
}

fn step(object: &Object, finalizer: &str, used: impl FnOnce() -> bool) -> Step {
    let meta = object.meta();
    let protected = meta.finalizers.iter().any(|held| held == finalizer);
    match (meta.deleting, protected) {
        (false, false) => Step::Protect,
        (true, true) if !used() => Step::LetGo,
        _ => Step::Nothing,
    }
}

async fn take(
    cluster: &dyn Cluster,
    resource: &Resource,
    object: &Object,
    (finalizer, step): (&str, Step),
) -> Result<(), Status> {
    let meta = object.meta();
    let mut finalizers: Vec<&str> = meta.finalizers.iter().map(|held| held.as_str()).collect();
    match step {
        Step::Nothing => return Ok(()),
        Step::Protect => finalizers.push(finalizer),
        Step::LetGo => finalizers.retain(|held| *held != finalizer),
    }
    let patch = json!({"metadata": {"uid": meta.uid, "resourceVersion": meta.revision.to_string(),
        "finalizers": finalizers}});
    match cluster
        .merge_patch(resource, &object.key(), Part::Main, patch)
        .await
    {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status),
        _ => Ok(()),
    }
}

/// A pod that has a node and has not ended uses its claims.
fn uses(pod: &Pod, claim: &str) -> bool {
    !pod.is_terminal() && !pod.spec.node_name.is_empty() && pod.claims().any(|name| name == claim)
}

#[async_trait]
impl Reconciler for ClaimProtection {
    fn name(&self) -> &'static str {
        "persistentvolumeclaim-protection"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PERSISTENT_VOLUME_CLAIMS, PODS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if PERSISTENT_VOLUME_CLAIMS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        let meta = change.object.meta();
        let ended = matches!(meta.field("status.phase"), Some("Succeeded" | "Failed"));
        if change.deleted || ended {
            let namespace = meta.namespace.clone();
            for claim in Pod::of(change.object.clone()).claims() {
                out.add(ObjectKey::namespaced(namespace.clone(), claim));
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        if let Some(claim) = cluster.get(&PERSISTENT_VOLUME_CLAIMS, key) {
            let used = || {
                pod::list(cluster, &key.namespace, |_| true)
                    .iter()
                    .any(|pod| uses(pod, &key.name))
            };
            let step = step(&claim, CLAIM_FINALIZER, used);
            take(
                cluster,
                &PERSISTENT_VOLUME_CLAIMS,
                &claim,
                (CLAIM_FINALIZER, step),
            )
            .await?;
        }
        Ok(Next::Wait)
    }
}

#[async_trait]
impl Reconciler for VolumeProtection {
    fn name(&self) -> &'static str {
        "persistentvolume-protection"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PERSISTENT_VOLUMES]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        out.add(change.object.key());
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        if let Some(volume) = cluster.get(&PERSISTENT_VOLUMES, key) {
            let used = || volume.to_value().text("/status/phase") == "Bound";
            let step = step(&volume, VOLUME_FINALIZER, used);
            take(cluster, &PERSISTENT_VOLUMES, &volume, (VOLUME_FINALIZER, step)).await?;
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW};

    #[tokio::test]
    async fn a_claim_stays_while_a_pod_uses_it() {
        let cluster = FakeCluster::new();
        cluster.put(&PERSISTENT_VOLUME_CLAIMS, json!({"metadata": {"name": "data"}}));
        cluster.put(
            &PODS,
            json!({"metadata": {"name": "p"}, "spec": {"nodeName": "node-0",
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}}),
        );
        cluster.settle(&[&ClaimProtection], NOW).await;
        let key = ObjectKey::namespaced("default", "data");
        cluster
            .delete(&PERSISTENT_VOLUME_CLAIMS, &key, Default::default())
            .await
            .unwrap();
        cluster.settle(&[&ClaimProtection], NOW).await;
        assert_eq!(cluster.names(&PERSISTENT_VOLUME_CLAIMS), ["data"]);
        cluster.change(&PODS, "default/p", |pod| pod.set("/status/phase", "Succeeded"));
        cluster.settle(&[&ClaimProtection], NOW).await;
        assert!(cluster.values(&PERSISTENT_VOLUME_CLAIMS).is_empty());
    }

    #[tokio::test]
    async fn a_volume_stays_while_it_is_bound() {
        let cluster = FakeCluster::new();
        cluster.put(
            &PERSISTENT_VOLUMES,
            json!({"metadata": {"name": "v"}, "status": {"phase": "Bound"}}),
        );
        cluster.settle(&[&VolumeProtection], NOW).await;
        let key = ObjectKey::cluster("v");
        cluster
            .delete(&PERSISTENT_VOLUMES, &key, Default::default())
            .await
            .unwrap();
        cluster.settle(&[&VolumeProtection], NOW).await;
        assert_eq!(cluster.names(&PERSISTENT_VOLUMES), ["v"]);
        cluster.change(&PERSISTENT_VOLUMES, "v", |volume| {
            volume.set("/status/phase", "Released")
        });
        cluster.settle(&[&VolumeProtection], NOW).await;
        assert!(cluster.values(&PERSISTENT_VOLUMES).is_empty());
    }
}
