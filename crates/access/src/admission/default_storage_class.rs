//! DefaultStorageClass: a claim that names no class gets the default one.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES};
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::asked::default_class;

const MARKS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) fn mutate(cx: &Asked<'_>, claim: &mut Value) -> Result<(), Status> {
    let names_class = !claim.at("/spec/storageClassName").is_null()
        || !claim.at("/metadata/annotations").field(BETA_CLASS).is_null();
    if !cx.creates(&PERSISTENT_VOLUME_CLAIMS) || names_class {
        return Ok(());
    }
    if let Some(class) = default_class(cx.all(&STORAGE_CLASSES, None), &MARKS) {
        claim.set("/spec/storageClassName", class);
    }
    Ok(())
}
