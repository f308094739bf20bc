//! PersistentVolumeClaimResize: a claim grows only where its class allows it.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES};
use warren_apimachinery::value::ValueExt;

use super::Asked;

pub(super) fn validate(cx: &Asked<'_>, claim: Option<&Value>) -> Result<(), Status> {
    let (Some(claim), Some(old)) = (claim, cx.old) else {
        return Ok(());
    };
    let size =
        |claim: &Value| Quantity::from_json(claim.at("/spec/resources/requests/storage")).unwrap_or_default();
    if !cx.updates(&PERSISTENT_VOLUME_CLAIMS) || size(claim) <= size(old) {
        return Ok(());
    }
    if old.text("/status/phase") != "Bound" {
        return Err(cx.forbidden(claim, "Only bound persistent volume claims can be expanded"));
    }
    let class = cx.find(&STORAGE_CLASSES, "", claim.text("/spec/storageClassName"));
    let allows = class.is_some_and(|class| class.to_value().at("/allowVolumeExpansion") == true);
    if allows {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(cx.forbidden(claim, why))
}
