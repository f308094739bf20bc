//! A tenant's own storage classes on the host, under names of their own, if the configuration says so; and the name of
//! the host class that a claim means. The host's classes are `shown`'s.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};

use crate::binding::Binding;
use crate::from_host;
use crate::mirrored::{Carry, Row, Setting, name_on_host};
use crate::sides::{Sides, ours};

const STORAGE_CLASSES: Resource = resource::STORAGE_CLASSES;
/// A tenant's default is not the host's.
const DEFAULTS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// The kind. What the API does not let change is another class.
pub(crate) const ROW: Row = Row {
    fields: &[
        "provisioner",
        "parameters",
        "reclaimPolicy",
        "volumeBindingMode",
        "allowVolumeExpansion",
        "mountOptions",
        "allowedTopologies",
    ],
    follows: &["/allowVolumeExpansion", "/mountOptions", "/allowedTopologies"],
    fixed: &[
        "/provisioner",
        "/parameters",
        "/reclaimPolicy",
        "/volumeBindingMode",
    ],
    shape,
    ..Row::new("sync-own-storage-classes", STORAGE_CLASSES, |spec| {
        Setting::of(&spec.sync.to_host.storage_classes)
    })
};

fn shape(_: &Sides<'_>, _: &Value, host: &mut Value) -> Carry {
    if let Some(annotations) = host.object_at("/metadata/annotations") {
        annotations.retain(|key, _| !DEFAULTS.contains(&key.as_str()));
    }
    Carry::Yes
}

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
    Some(name_on_host(sides, &STORAGE_CLASSES, "", name))
}
