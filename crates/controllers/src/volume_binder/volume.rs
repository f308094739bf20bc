//! One volume: free, claimed, or released and then kept or deleted as its policy says.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, StatusReason};
use warren_reconciler::{Context, DeleteOptions, ReconcileError};

use super::{PROVISIONED_BY, RECORDER, annotation};
use crate::timestamp;

/// Where a volume stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Available,
    Bound,
    Released,
}

/// The phase by the volume's `claimRef` and the claim of that name.
fn phase(volume: &Value, claim: Option<&Object>) -> Phase {
    let reference = volume.at("/spec/claimRef");
    if reference.text("/uid").is_empty() {
        return Phase::Available;
    }
    match claim {
        Some(claim) if claim.meta().uid == reference.text("/uid") => Phase::Bound,
        _ => Phase::Released,
    }
}

/// Tells the phase; a released volume that we made goes, if its policy says so.
pub(super) async fn sync(cx: &Context, volume: Arc<Object>) -> Result<(), ReconcileError> {
    let cluster = cx.cluster.as_ref();
    let value = volume.to_value();
    let reference = value.at("/spec/claimRef");
    let key = ObjectKey::namespaced(reference.text("/namespace"), reference.text("/name"));
    let claim = cluster.get(&PERSISTENT_VOLUME_CLAIMS, &key);
    let phase = phase(&value, claim.as_deref());
    let text = match phase {
        Phase::Available => "Available",
        Phase::Bound => "Bound",
        Phase::Released => "Released",
    };
    let mut status = value.at("/status").clone();
    if status.text("/phase") != text {
        status.set("/phase", text);
        status.set("/lastPhaseTransitionTime", timestamp::text(cx.now));
        crate::status::write(cluster, &PERSISTENT_VOLUMES, &volume, status).await?;
    }
    let deletes = value.text("/spec/persistentVolumeReclaimPolicy") == "Delete";
    if phase != Phase::Released || !deletes || volume.meta().deleting {
        return Ok(());
    }
    if value.at(&annotation(PROVISIONED_BY)).is_null() {
        let message = "error getting deleter volume plugin for volume: no deletable volume plugin matched";
        let message = format!("{message} {:?}", volume.meta().name);
        RECORDER
            .about(cx, &PERSISTENT_VOLUMES, &volume)
            .warning("VolumeFailedDelete", message)
            .await;
        return Ok(());
    }
    match cluster
        .delete(&PERSISTENT_VOLUMES, &volume.key(), DeleteOptions::default())
        .await
    {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
        _ => Ok(()),
    }
}
