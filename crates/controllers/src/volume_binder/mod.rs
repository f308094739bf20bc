//! Binds claims to volumes, makes volumes for claims of a class, and releases what is no longer claimed. For clusters
//! whose volumes are their own. Owns the shell; `matching` decides which volume suits.
//!
//! The provisioner is simulated: for every class but `kubernetes.io/no-provisioner` a hostPath volume is made, whatever
//! driver the class names.

mod claim;
mod matching;
mod volume;

use async_trait::async_trait;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

const RECORDER: Recorder = Recorder {
    component: "persistentvolume-controller",
};
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// Binds claims. Keys are claims.
pub(crate) struct ClaimBinder;

/// Follows volumes. Keys are volumes.
pub(crate) struct VolumeFollower;

/// An annotation's JSON pointer.
fn annotation(name: &str) -> String {
    format!("/metadata/annotations/{}", name.replace('/', "~1"))
}

#[async_trait]
impl Reconciler for ClaimBinder {
    fn name(&self) -> &'static str {
        "persistentvolumeclaim-binder"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if PERSISTENT_VOLUME_CLAIMS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        // A new volume or class may suit any claim that waits; a changed volume concerns its own claim.
        let value = change.object.to_value();
        let claimed = value.at("/spec/claimRef");
        if claimed.is_object() {
            out.add(ObjectKey::namespaced(
                claimed.text("/namespace"),
                claimed.text("/name"),
            ));
        } else if !change.deleted {
            cluster
                .list(&PERSISTENT_VOLUME_CLAIMS, None)
                .iter()
                .for_each(|claim| out.add(claim.key()));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        if let Some(claim) = cx.cluster.get(&PERSISTENT_VOLUME_CLAIMS, key) {
            claim::sync(cx, claim).await?;
        }
        Ok(Next::Wait)
    }
}

#[async_trait]
impl Reconciler for VolumeFollower {
    fn name(&self) -> &'static str {
        "persistentvolume-binder"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PERSISTENT_VOLUMES, PERSISTENT_VOLUME_CLAIMS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if PERSISTENT_VOLUMES.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        let meta = change.object.meta();
        for volume in cluster.list(&PERSISTENT_VOLUMES, None) {
            let value = volume.to_value();
            let claimed = value.at("/spec/claimRef");
            if claimed.text("/name") == meta.name && claimed.text("/namespace") == meta.namespace {
                out.add(volume.key());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        if let Some(volume) = cx.cluster.get(&PERSISTENT_VOLUMES, key) {
            volume::sync(cx, volume).await?;
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests;
