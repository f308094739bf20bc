//! A tenant's own storage classes on the host, under names of their own.

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_reconciler::{Cluster, Part, ReconcileError};
use warren_translate::{MANAGED_BY, Virtual};

use crate::binding::Binding;
use crate::difference::difference;
use crate::from_host;
use crate::sides::{Sides, host_metadata, ours};

const STORAGE_CLASSES: Resource = resource::STORAGE_CLASSES;
/// A tenant's default is not the host's.
const DEFAULTS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const FIELDS: [&str; 7] = [
    "provisioner",
    "parameters",
    "reclaimPolicy",
    "volumeBindingMode",
    "allowVolumeExpansion",
    "mountOptions",
    "allowedTopologies",
];

/// The name in the virtual cluster of a host class that a tenant's class stands behind.
pub(crate) fn virtual_name(binding: &Binding, class: &Object) -> Option<SmolStr> {
    let identity = ours(binding, class)?;
    (identity.kind == STORAGE_CLASSES.kind).then_some(identity.key.0.name)
}

/// The class that a host claim names for the virtual class `name`; `None` when there is no such class yet and the
/// claim has to wait for it.
pub(crate) fn host_class(sides: &Sides<'_>, name: &str) -> Option<SmolStr> {
    if name.is_empty() || !sides.binding.spec.sync.to_host.storage_classes.enabled {
        return Some(SmolStr::new(name));
    }
    let class = sides
        .virtual_cluster
        .get(&STORAGE_CLASSES, &ObjectKey::cluster(name))?;
    if from_host::is_ours(&class) {
        return Some(SmolStr::new(name));
    }
    Some(sides.binding.tenant.host_cluster_name(Virtual(name)).0)
}

/// Brings the host class of the tenant's class `name` in step; `class` is `None` when the tenant has none of that name.
pub(super) async fn carry(
    sides: &Sides<'_>,
    name: &str,
    class: Option<&Object>,
) -> Result<(), ReconcileError> {
    let key = ObjectKey::cluster(sides.binding.tenant.host_cluster_name(Virtual(name)).0);
    let there = sides.host.get(&STORAGE_CLASSES, &key);
    let is_ours = |object: &Object| virtual_name(&sides.binding, object).is_some_and(|ours| ours == name);
    match (class, there) {
        (None, Some(there)) if is_ours(&there) => sides.delete_host(&STORAGE_CLASSES, &there, None).await,
        (None, _) => Ok(()),
        (Some(class), None) => {
            sides
                .create_host(&STORAGE_CLASSES, class, wanted(sides, class))
                .await?;
            Ok(())
        }
        (Some(class), Some(there)) if !is_ours(&there) => {
            sides.taken(&STORAGE_CLASSES, class).await;
            Ok(())
        }
        (Some(class), Some(there)) => follow(sides, class, &there).await,
    }
}

fn wanted(sides: &Sides<'_>, class: &Object) -> Value {
    let value = class.to_value();
    let mut metadata = host_metadata(&sides.binding, &STORAGE_CLASSES, &value);
    if let Some(annotations) = metadata.object_at("/annotations") {
        annotations.retain(|key, _| !DEFAULTS.contains(&key.as_str()));
    }
    let mut host = json!({"apiVersion": STORAGE_CLASSES.api_version(), "kind": STORAGE_CLASSES.kind,
        "metadata": metadata});
    for field in FIELDS {
        let wanted = value.field(field);
        if !wanted.is_null() {
            host.set(&format!("/{field}"), wanted.clone());
        }
    }
    host
}

/// What the API does not let change is another class: the old one goes, the next pass makes the new one.
async fn follow(sides: &Sides<'_>, class: &Object, there: &Object) -> Result<(), ReconcileError> {
    let (wanted, value) = (wanted(sides, class), there.to_value());
    let uid = "/metadata/annotations/warren.dev~1object-uid";
    let replaced = super::FIXED
        .iter()
        .any(|field| wanted.at(field) != value.at(field));
    if replaced || wanted.at(uid) != value.at(uid) {
        return sides.delete_host(&STORAGE_CLASSES, there, None).await;
    }
    let mut patch = Value::Null;
    for field in FIELDS {
        if let Some(change) = difference(value.field(field), wanted.field(field)) {
            patch.set(&format!("/{field}"), change);
        }
    }
    if !patch.is_null() {
        sides
            .host
            .merge_patch(&STORAGE_CLASSES, &there.key(), Part::Main, patch)
            .await?;
    }
    Ok(())
}

/// The host's classes that are a tenant's.
pub(super) fn carried(sides: &Sides<'_>) -> Vec<SmolStr> {
    let all = sides.host.list(&STORAGE_CLASSES, None);
    all.iter()
        .filter_map(|class| virtual_name(&sides.binding, class))
        .collect()
}

/// Removes all classes of a virtual cluster that is going: nothing on the host owns them.
///
/// # Errors
/// When the host refuses; to be tried again.
pub async fn remove_all(host: &dyn Cluster, binding: &Binding) -> Result<(), ReconcileError> {
    for class in host.list(&STORAGE_CLASSES, None) {
        let labelled = class.meta().label(MANAGED_BY) == Some(binding.tenant.cluster());
        if labelled && virtual_name(binding, &class).is_some() {
            crate::sides::delete(host, &STORAGE_CLASSES, &class, None).await?;
        }
    }
    Ok(())
}
