//! Volumes: a virtual cluster shows those that its claims are bound to, and no more of them than a tenant may know.

pub(crate) mod to_host;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::MANAGED_BY;

use crate::binding::Bindings;
use crate::from_host::{Shown, show};
use crate::sides::{ACTOR, Sides, ours};
use crate::storage_class;

const VOLUMES: Resource = resource::PERSISTENT_VOLUMES;
const CLAIMS: Resource = resource::PERSISTENT_VOLUME_CLAIMS;
/// Where the data is, is not the tenant's to know; a volume has to say something.
const DRIVER: &str = "host.warren.dev";

/// The rule.
pub(crate) struct PersistentVolumes {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for PersistentVolumes {
    fn name(&self) -> &'static str {
        "sync-persistent-volumes"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[VOLUMES, CLAIMS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        let is_volume = VOLUMES.is(&change.resource);
        if self.bindings.of_virtual(&change.cluster).is_some() {
            let key = match is_volume {
                true => Some(change.object.key()),
                false => volume_of(&change.object),
            };
            key.into_iter().for_each(|key| out.add(key));
        }
        if is_volume
            && let Some(claim) = claim_of(&change.object, cluster)
            && let Some(managed_by) = claim.meta().label(MANAGED_BY)
            && let Some(binding) = self
                .bindings
                .of_host(&change.cluster, &claim.meta().namespace, managed_by)
        {
            out.add_to(binding.virtual_cluster.clone(), change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        let shown = sides.host.get(&VOLUMES, key).and_then(|volume| {
            let claim = virtual_claim(&sides, &volume)?;
            Some(Shown {
                object: view(&sides, &volume.to_value(), &claim),
                fixed: &["/spec/claimRef/uid"],
                follows: &["/spec/capacity", "/spec/persistentVolumeReclaimPolicy"],
            })
        });
        show(&sides, &VOLUMES, key, shown).await?;
        Ok(Next::Wait)
    }
}

/// The volume that a claim is bound to.
fn volume_of(claim: &Object) -> Option<ObjectKey> {
    let claim = claim.to_value();
    let name = claim.text("/spec/volumeName");
    (!name.is_empty()).then(|| ObjectKey::cluster(name))
}

/// The claim that a volume is bound to.
fn claim_of(volume: &Object, cluster: &dyn Cluster) -> Option<Arc<Object>> {
    let volume = volume.to_value();
    let claim = volume.at("/spec/claimRef");
    let key = ObjectKey::namespaced(claim.text("/namespace"), claim.text("/name"));
    let found = cluster.get(&CLAIMS, &key)?;
    (found.meta().uid == claim.text("/uid")).then_some(found)
}

/// The name by which a tenant knows a host volume: its own, unless it is one that the tenant made.
pub(crate) fn virtual_name(sides: &Sides<'_>, volume: &str) -> SmolStr {
    let there = sides.host.get(&VOLUMES, &ObjectKey::cluster(volume));
    let own = there.and_then(|volume| ours(&sides.binding, &volume));
    own.map_or_else(|| SmolStr::new(volume), |identity| identity.key.0.name)
}

/// Whether a claim of this tenant is bound to the host volume of that name. The host says so: what a tenant's own
/// volume claims to be counts for nothing.
pub(crate) fn is_bound_here(sides: &Sides<'_>, volume: &str) -> bool {
    let volume = sides.host.get(&VOLUMES, &ObjectKey::cluster(volume));
    let claim = volume.and_then(|volume| claim_of(&volume, sides.host.as_ref()));
    claim.is_some_and(|claim| ours(&sides.binding, &claim).is_some())
}

/// The virtual claim of a host volume, if it is one of this tenant's and bound to it.
fn virtual_claim(sides: &Sides<'_>, volume: &Object) -> Option<Arc<Object>> {
    // The tenant has its own of those that it made itself.
    if ours(&sides.binding, volume).is_some() {
        return None;
    }
    let claim = claim_of(volume, sides.host.as_ref())?;
    let identity = ours(&sides.binding, &claim)?;
    let found = sides.virtual_cluster.get(&CLAIMS, &identity.key.0)?;
    let bound = volume_of(&found).is_some_and(|key| key.name == volume.meta().name);
    (bound && found.meta().uid == identity.uid.0).then_some(found)
}

fn view(sides: &Sides<'_>, volume: &Value, claim: &Object) -> Value {
    let mut spec = json!({
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.meta().namespace,
            "name": claim.meta().name, "uid": claim.meta().uid},
        "csi": {"driver": DRIVER, "volumeHandle": volume.text("/metadata/name")}});
    for field in [
        "capacity",
        "accessModes",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeMode",
        "nodeAffinity",
    ] {
        let value = volume.at("/spec").field(field);
        if !value.is_null() {
            spec.set(&format!("/{field}"), value.clone());
        }
    }
    let class = ObjectKey::cluster(volume.text("/spec/storageClassName"));
    let own = sides.host.get(&resource::STORAGE_CLASSES, &class);
    if let Some(name) = own.and_then(|class| storage_class::virtual_name(&sides.binding, &class)) {
        spec.set("/storageClassName", name.as_str());
    }
    json!({"metadata": {"name": volume.text("/metadata/name")}, "spec": spec,
        "status": {"phase": volume.text("/status/phase")}})
}
