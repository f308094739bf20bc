//! A tenant's own volumes on the host, under names of their own, where the configuration allows them. A volume reaches
//! what it names, so what a node holds itself is refused unless pods may use it, too.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};
use warren_config::PodSecurityStandard;

use crate::mirrored::{Carry, Notice, Report, Row, Setting};
use crate::sides::{Sides, ours};
use crate::storage_class;

/// The kind.
pub(crate) const ROW: Row = Row {
    follows: &[
        "/spec/capacity",
        "/spec/persistentVolumeReclaimPolicy",
        "/spec/mountOptions",
        "/spec/volumeAttributesClassName",
    ],
    fixed: &["/spec/accessModes", "/spec/storageClassName"],
    shape,
    report: Some(report),
    ..Row::new(
        "sync-own-persistent-volumes",
        resource::PERSISTENT_VOLUMES,
        |spec| Setting::of(&spec.sync.to_host.persistent_volumes),
    )
};

/// Sources that reach into a node.
const OF_THE_NODE: [&str; 2] = ["hostPath", "local"];
/// Where the driver of a volume is told of secrets, which are of namespaces.
const SECRETS: [&str; 6] = [
    "/spec/csi/controllerPublishSecretRef",
    "/spec/csi/controllerExpandSecretRef",
    "/spec/csi/nodeStageSecretRef",
    "/spec/csi/nodePublishSecretRef",
    "/spec/csi/nodeExpandSecretRef",
    "/spec/iscsi/secretRef",
];

fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let spec = value.at("/spec");
    let of_the_node = OF_THE_NODE.iter().find(|source| !spec.field(source).is_null());
    let privileged = sides.binding.spec.policies.pod_security_standard == PodSecurityStandard::Privileged;
    if let Some(source) = of_the_node.filter(|_| !privileged) {
        return Carry::Refused(Notice::new(format!(
            "Volumes of {source} are not allowed on the host cluster"
        )));
    }
    let class = spec.text("/storageClassName");
    match storage_class::host_class(sides, class) {
        Some(class) if !class.is_empty() => host.set("/spec/storageClassName", class.as_str()),
        _ => {}
    }
    let claim = spec.at("/claimRef");
    host.take_at("/spec/claimRef");
    if !claim.is_null() {
        let mut claim = claim.clone();
        to_key(sides, &resource::PERSISTENT_VOLUME_CLAIMS, &mut claim);
        claim.take_at("/uid");
        claim.take_at("/resourceVersion");
        host.set("/spec/claimRef", claim);
    }
    for place in SECRETS {
        if let Some(secret) = host.pointer_mut(place) {
            to_key(sides, &resource::SECRETS, secret);
        }
    }
    Carry::Yes
}

/// A reference with a namespace, as the host has it.
fn to_key(sides: &Sides<'_>, resource: &warren_apimachinery::Resource, reference: &mut Value) {
    let key = ObjectKey::namespaced(reference.text("/namespace"), reference.text("/name"));
    let key = sides.host_key(resource, &key);
    reference.set("/name", key.name.as_str());
    reference.set("/namespace", key.namespace.as_str());
}

/// The claim that the host bound, as the tenant knows it, and the phase.
fn report(sides: &Sides<'_>, volume: &Value, host: &Value) -> Report {
    let mut main = Value::Null;
    let claim = host.at("/spec/claimRef");
    let key = ObjectKey::namespaced(claim.text("/namespace"), claim.text("/name"));
    let bound = sides
        .host
        .get(&resource::PERSISTENT_VOLUME_CLAIMS, &key)
        .filter(|found| found.meta().uid == claim.text("/uid"))
        .and_then(|found| ours(&sides.binding, &found));
    if let Some(identity) = bound
        && volume.text("/spec/claimRef/uid") != identity.uid.0
    {
        main = serde_json::json!({"spec": {"claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "namespace": identity.key.0.namespace, "name": identity.key.0.name, "uid": identity.uid.0}}});
    }
    Report {
        main,
        status: host.at("/status").clone(),
    }
}
