//! StorageObjectInUseProtection: claims and volumes carry a finalizer, so that they stay while they are used.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES};
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::service_account::push;

pub(super) fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    let finalizer = if cx.creates(&PERSISTENT_VOLUME_CLAIMS) {
        "kubernetes.io/pvc-protection"
    } else if cx.creates(&PERSISTENT_VOLUMES) {
        "kubernetes.io/pv-protection"
    } else {
        return Ok(());
    };
    if !object
        .items("/metadata/finalizers")
        .iter()
        .any(|held| held == finalizer)
    {
        push(object, "/metadata/finalizers", finalizer.into());
    }
    Ok(())
}
