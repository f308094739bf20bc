//! One claim: bound to the volume that suits it, or given a new one.

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Status, StatusReason};
use warren_reconciler::{Context, Part, ReconcileError};

use super::matching::{self, Request};
use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONED_BY, PROVISIONER, RECORDER, SELECTED_NODE, annotation,
};
use crate::pod;

const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Takes the claim as far as it goes now.
pub(super) async fn sync(cx: &Context, claim: Arc<Object>) -> Result<(), ReconcileError> {
    let value = claim.to_value();
    let bound_to = value.text("/spec/volumeName").to_owned();
    if bound_to.is_empty() {
        return find_volume(cx, &claim, &value).await;
    }
    let Some(volume) = cx
        .cluster
        .get(&PERSISTENT_VOLUMES, &ObjectKey::cluster(bound_to.as_str()))
    else {
        if value.at(&annotation(BIND_COMPLETED)).is_null() {
            return set_phase(cx, &claim, "Pending").await;
        }
        return lose(
            cx,
            &claim,
            "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
        )
        .await;
    };
    let request = Request::of(&value);
    let volume_value = volume.to_value();
    if volume_value.at("/spec/claimRef").is_object() && !request.is_reserved_for(&volume_value) {
        if value.at(&annotation(BIND_COMPLETED)).is_null() {
            return set_phase(cx, &claim, "Pending").await;
        }
        let message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lose(cx, &claim, message).await;
    }
    bind(cx, &claim, &volume).await
}

async fn find_volume(cx: &Context, claim: &Arc<Object>, value: &Value) -> Result<(), ReconcileError> {
    if claim.meta().deleting {
        return Ok(());
    }
    let request = Request::of(value);
    let class = storage_class(cx, &request.class);
    let about = RECORDER.about(cx, &PERSISTENT_VOLUME_CLAIMS, claim);
    let delayed = class
        .as_ref()
        .is_some_and(|class| class.text("/volumeBindingMode") == "WaitForFirstConsumer");
    let volumes: Vec<Value> = cx
        .cluster
        .list(&PERSISTENT_VOLUMES, None)
        .iter()
        .map(|volume| volume.to_value())
        .collect();
    let reserved = volumes.iter().any(|volume| request.is_reserved_for(volume));
    if delayed && !reserved && value.at(&annotation(SELECTED_NODE)).is_null() {
        match waiting_pod(cx, claim) {
            Some(pod) => {
                let message = format!("waiting for pod {pod} to be scheduled");
                about.normal("WaitForPodScheduled", message).await;
            }
            None => {
                let message = "waiting for first consumer to be created before binding";
                about.normal("WaitForFirstConsumer", message).await;
            }
        }
        return set_phase(cx, claim, "Pending").await;
    }
    if let Some(best) = matching::best(&request, &volumes) {
        let key = ObjectKey::cluster(best.text("/metadata/name"));
        if let Some(volume) = cx.cluster.get(&PERSISTENT_VOLUMES, &key) {
            return bind(cx, claim, &volume).await;
        }
    }
    match class {
        Some(class) if class.text("/provisioner") != NO_PROVISIONER => {
            provision(cx, claim, value, &class).await
        }
        Some(_) => set_phase(cx, claim, "Pending").await,
        None if request.class.is_empty() => {
            let message = "no persistent volumes available for this claim and no storage class is set";
            about.normal("FailedBinding", message).await;
            set_phase(cx, claim, "Pending").await
        }
        None => {
            let message = format!("storageclass.storage.k8s.io {:?} not found", request.class);
            about.warning("ProvisioningFailed", message).await;
            set_phase(cx, claim, "Pending").await
        }
    }
}

fn storage_class(cx: &Context, name: &str) -> Option<Value> {
    let key = ObjectKey::cluster(name);
    let class = Some(name).filter(|name| !name.is_empty());
    class
        .and_then(|_| cx.cluster.get(&STORAGE_CLASSES, &key))
        .map(|class| class.to_value())
}

/// A pod without a node that mounts the claim.
fn waiting_pod(cx: &Context, claim: &Object) -> Option<String> {
    let key = claim.key();
    let waiting = cx
        .cluster
        .list(&PODS, Some(&key.namespace))
        .into_iter()
        .map(pod::Pod::of);
    let mut waiting =
        waiting.filter(|pod| pod.spec.node_name.is_empty() && pod.claims().any(|name| key.name == name));
    waiting.next().map(|pod| pod.name().to_owned())
}

/// Ties both sides, the volume first: whatever is interrupted continues from there.
async fn bind(cx: &Context, claim: &Arc<Object>, volume: &Object) -> Result<(), ReconcileError> {
    let cluster = cx.cluster.as_ref();
    let mut volume = volume.to_value();
    let meta = claim.meta();
    if volume.text("/spec/claimRef/uid") != meta.uid {
        volume.set("/spec/claimRef", reference(claim));
        volume.set(&annotation(BOUND_BY_CONTROLLER), "yes");
        volume = cluster
            .update(&PERSISTENT_VOLUMES, Part::Main, volume)
            .await?
            .to_value();
    }
    let mut value = claim.to_value();
    let mut claim = claim.clone();
    if value.text("/spec/volumeName").is_empty() || value.at(&annotation(BIND_COMPLETED)).is_null() {
        if value.text("/spec/volumeName").is_empty() {
            value.set("/spec/volumeName", volume.text("/metadata/name"));
            value.set(&annotation(BOUND_BY_CONTROLLER), "yes");
        }
        value.set(&annotation(BIND_COMPLETED), "yes");
        claim = cluster
            .update(&PERSISTENT_VOLUME_CLAIMS, Part::Main, value)
            .await?;
    }
    let mut status = claim.to_value().at("/status").clone();
    status.set("/phase", "Bound");
    status.set("/accessModes", volume.at("/spec/accessModes").clone());
    status.set("/capacity", volume.at("/spec/capacity").clone());
    crate::status::write(cluster, &PERSISTENT_VOLUME_CLAIMS, &claim, status).await?;
    expand(cx, &claim, volume).await
}

/// A bound claim that asks for more gets it, from a volume that we made.
async fn expand(cx: &Context, claim: &Object, mut volume: Value) -> Result<(), ReconcileError> {
    let request = Request::of(&claim.to_value());
    let ours = !volume.at(&annotation(PROVISIONED_BY)).is_null();
    if !ours || request.storage <= matching::capacity(&volume) {
        return Ok(());
    }
    volume.set("/spec/capacity/storage", Value::from(request.storage));
    let volume = cx
        .cluster
        .update(&PERSISTENT_VOLUMES, Part::Main, volume)
        .await?
        .to_value();
    let status = json!({"status": {"capacity": volume.at("/spec/capacity")}});
    let key = claim.key();
    cx.cluster
        .merge_patch(&PERSISTENT_VOLUME_CLAIMS, &key, Part::Status, status)
        .await?;
    Ok(())
}

fn reference(claim: &Object) -> Value {
    let meta = claim.meta();
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta.namespace, "name": meta.name,
        "uid": meta.uid, "resourceVersion": meta.revision.to_string()})
}

async fn provision(
    cx: &Context,
    claim: &Arc<Object>,
    value: &Value,
    class: &Value,
) -> Result<(), ReconcileError> {
    let cluster = cx.cluster.as_ref();
    let provisioner = class.text("/provisioner");
    let mut claim = claim.clone();
    if value.text(&annotation(PROVISIONER)) != provisioner {
        let key = claim.key();
        let patch = json!({"metadata": {"annotations": {PROVISIONER: provisioner}}});
        claim = cluster
            .merge_patch(&PERSISTENT_VOLUME_CLAIMS, &key, Part::Main, patch)
            .await?;
    }
    let volume = new_volume(&claim, class);
    let name = volume.text("/metadata/name").to_owned();
    let made = match cluster.create(&PERSISTENT_VOLUMES, volume).await {
        Ok(volume) => volume,
        Err(status) if status.is(StatusReason::AlreadyExists) => return retry(status),
        Err(status) => {
            let about = RECORDER.about(cx, &PERSISTENT_VOLUME_CLAIMS, &claim);
            about.warning("ProvisioningFailed", status.to_string()).await;
            return retry(status);
        }
    };
    let message = format!("Successfully provisioned volume {name} using {provisioner}");
    RECORDER
        .about(cx, &PERSISTENT_VOLUME_CLAIMS, &claim)
        .normal("ProvisioningSucceeded", message)
        .await;
    bind(cx, &claim, &made).await
}

fn retry(status: Status) -> Result<(), ReconcileError> {
    Err(ReconcileError::Retry(status.to_string()))
}

/// The volume of a claim, bound to it from the start.
fn new_volume(claim: &Object, class: &Value) -> Value {
    let value = claim.to_value();
    let name = format!("pvc-{}", claim.meta().uid);
    let reclaim = match class.text("/reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    let mut volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: class.text("/provisioner")}},
        "spec": {
            "capacity": {"storage": value.at("/spec/resources/requests/storage")},
            "accessModes": value.at("/spec/accessModes"),
            "claimRef": reference(claim),
            "persistentVolumeReclaimPolicy": reclaim,
            "storageClassName": class.text("/metadata/name"),
            "hostPath": {"path": format!("/var/lib/warren/volumes/{name}"), "type": "DirectoryOrCreate"},
        },
    });
    for (from, to) in [("/mountOptions", "/spec/mountOptions")] {
        if !class.items(from).is_empty() {
            volume.set(to, class.at(from).clone());
        }
    }
    if !value.text("/spec/volumeMode").is_empty() {
        volume.set("/spec/volumeMode", value.text("/spec/volumeMode"));
    }
    volume
}

async fn set_phase(cx: &Context, claim: &Arc<Object>, phase: &str) -> Result<(), ReconcileError> {
    let mut status = claim.to_value().at("/status").clone();
    status.set("/phase", phase);
    crate::status::write(cx.cluster.as_ref(), &PERSISTENT_VOLUME_CLAIMS, claim, status).await?;
    Ok(())
}

async fn lose(cx: &Context, claim: &Arc<Object>, message: &str) -> Result<(), ReconcileError> {
    if claim.to_value().text("/status/phase") != "Lost" {
        RECORDER
            .about(cx, &PERSISTENT_VOLUME_CLAIMS, claim)
            .warning("ClaimLost", message)
            .await;
    }
    set_phase(cx, claim, "Lost").await
}
