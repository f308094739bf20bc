//! Claims of storage: bound on the host, shown as bound in the virtual cluster.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_reconciler::{Change, Cluster, Triggers};
use warren_translate::Virtual;

use crate::mirrored::{Carry, Notice, Report, Row, Setting, name_on_host};
use crate::persistent_volume;
use crate::sides::{Claim, Sides};
use crate::storage_class;

const CLAIMS: Resource = resource::PERSISTENT_VOLUME_CLAIMS;
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// Annotations that the host's controllers write and a tenant's tools read.
const OF_THE_HOST: &[&str] = &[
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
];

/// The kind.
pub(crate) const ROW: Row = Row {
    watches: &[CLAIMS, resource::STORAGE_CLASSES],
    also: claims_that_wait,
    follows: &["/spec/resources", "/spec/volumeAttributesClassName"],
    shape,
    report: Some(report),
    ..Row::new("sync-persistent-volume-claims", CLAIMS, |spec| {
        Setting::of(&spec.sync.to_host.persistent_volume_claims)
    })
};

/// Claims may have waited for a class that is new.
fn claims_that_wait(class: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    if class.previous.is_none() {
        for claim in cluster.list(&CLAIMS, None) {
            out.add(claim.key());
        }
    }
}

fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let class = class_of(value);
    let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
    let is_missing = storage_class::host_class(sides, class).is_none();
    if is_missing && matches!(sides.claim(&CLAIMS, &key), Claim::Absent) {
        // In the words of upstream's controller.
        return Carry::Waits(Notice {
            reason: "ProvisioningFailed",
            message: format!("storageclass.storage.k8s.io {class:?} not found"),
        });
    }
    host.set("/spec", host_spec(sides, value));
    if let Some(annotations) = host.object_at("/metadata/annotations") {
        annotations.retain(|key, _| !OF_THE_HOST.contains(&key.as_str()));
        if let Some(class) = annotations.get_mut(BETA_CLASS)
            && let Some(host) = class
                .as_str()
                .and_then(|name| storage_class::host_class(sides, name))
        {
            *class = host.as_str().into();
        }
    }
    Carry::Yes
}

/// The spec of the host's claim. A tenant may name a volume only if it is one that it is shown.
fn host_spec(sides: &Sides<'_>, value: &Value) -> Value {
    let tenant = &sides.binding.tenant;
    let mut spec = value.at("/spec").clone();
    if let Some(class) = storage_class::host_class(sides, spec.text("/storageClassName"))
        && !class.is_empty()
    {
        spec.set("/storageClassName", class.as_str());
    }
    let namespace = value.text("/metadata/namespace");
    let selector = tenant.host_selector(spec.at("/selector"), Some(Virtual(namespace)));
    if !selector.is_null() {
        spec.set("/selector", selector);
    }
    let volume = spec.text("/volumeName").to_owned();
    if volume.is_empty() || was_bound_by_us(sides, value) {
        spec.take_at("/volumeName");
    } else if !persistent_volume::is_bound_here(sides, &volume) {
        let name = tenant.host_cluster_name(Virtual(&volume)).0;
        spec.set("/volumeName", name.as_str());
    }
    for field in ["dataSource", "dataSourceRef"] {
        if let Some(source) = spec.get_mut(field).filter(|source| source.is_object()) {
            translate_source(sides, namespace, source);
        }
    }
    spec
}

/// A claim, a snapshot, or an object of a kind that some populator knows: all of them by their host names. On the host
/// the tenant's namespaces are one, so what was of another namespace is not any more.
fn translate_source(sides: &Sides<'_>, namespace: &str, source: &mut Value) {
    let there = source.take_at("/namespace");
    let namespace = there.as_ref().and_then(Value::as_str).unwrap_or(namespace);
    let name = name_on_host(sides, &CLAIMS, namespace, source.text("/name"));
    source.set("/name", name.as_str());
}

/// The class that a claim names, by the field or by the annotation that came before it.
fn class_of(claim: &Value) -> &str {
    let annotated = claim.at("/metadata/annotations").field(BETA_CLASS).as_str();
    annotated.unwrap_or_else(|| claim.text("/spec/storageClassName"))
}

/// The volume came from the host, so it is not a wish of the tenant.
fn was_bound_by_us(sides: &Sides<'_>, value: &Value) -> bool {
    let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
    match sides.claim(&CLAIMS, &key) {
        Claim::Ours { object, .. } => {
            object.to_value().at("/spec/volumeName") == value.at("/spec/volumeName")
        }
        _ => value
            .at("/metadata/annotations")
            .field("pv.kubernetes.io/bind-completed")
            .is_string(),
    }
}

/// Host → virtual: the volume, what the binder noted, and the status.
fn report(sides: &Sides<'_>, claim: &Value, host: &Value) -> Report {
    let mut main = Value::Null;
    let volume = host.text("/spec/volumeName");
    if !volume.is_empty() && claim.text("/spec/volumeName").is_empty() {
        main.set(
            "/spec/volumeName",
            persistent_volume::virtual_name(sides, volume).as_str(),
        );
    }
    for annotation in OF_THE_HOST {
        let value = host.at("/metadata/annotations").field(annotation);
        if !value.is_null()
            && claim.at("/metadata/annotations").field(annotation) != value
            && let Some(annotations) = main.object_at("/metadata/annotations")
        {
            annotations.insert((*annotation).to_owned(), value.clone());
        }
    }
    Report {
        main,
        status: host.at("/status").clone(),
    }
}
