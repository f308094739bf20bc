//! Claims of storage: bound on the host, shown as bound in the virtual cluster.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};
use warren_translate::Virtual;

use crate::applied::Parts;
use crate::binding::Bindings;
use crate::difference::difference;
use crate::mirrored::{self, Kind};
use crate::persistent_volume::is_bound_here;
use crate::sides::{ACTOR, Claim, EVENTS, Sides, trigger};
use crate::storage_class::to_host;

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

/// The rule.
pub(crate) struct PersistentVolumeClaims {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for PersistentVolumeClaims {
    const RESOURCE: Resource = CLAIMS;
    // Done here: it is not the status alone.
    const STATUS: bool = false;

    fn is_on(spec: &VirtualClusterSpec) -> bool {
        spec.sync.to_host.persistent_volume_claims.enabled
    }

    fn content(sides: &Sides<'_>, value: &Value) -> Option<Map<String, Value>> {
        let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
        let waits = to_host::host_class(sides, class_of(value)).is_none();
        if waits && matches!(sides.claim(&CLAIMS, &key), Claim::Absent) {
            return None;
        }
        Some(Map::from_iter([("spec".to_owned(), host_spec(sides, value))]))
    }

    fn metadata(sides: &Sides<'_>, metadata: &mut Value) {
        let Some(annotations) = metadata.object_at("/annotations") else {
            return;
        };
        annotations.retain(|key, _| !OF_THE_HOST.contains(&key.as_str()));
        if let Some(class) = annotations.get_mut(BETA_CLASS)
            && let Some(host) = class.as_str().and_then(|name| to_host::host_class(sides, name))
        {
            *class = host.as_str().into();
        }
    }

    fn mutable(content: &Map<String, Value>) -> Parts {
        let spec = content.get("spec").unwrap_or(&Value::Null);
        let mut parts = Parts::new();
        for pointer in ["/resources", "/volumeAttributesClassName"] {
            if !spec.at(pointer).is_null() {
                parts.insert(format!("/spec{pointer}"), spec.at(pointer).clone());
            }
        }
        parts
    }
}

#[async_trait]
impl Reconciler for PersistentVolumeClaims {
    fn name(&self) -> &'static str {
        "sync-persistent-volume-claims"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[CLAIMS, resource::STORAGE_CLASSES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        trigger(self.bindings.as_ref(), &CLAIMS, change, out);
        let is_new_class = resource::STORAGE_CLASSES.is(&change.resource) && change.previous.is_none();
        if is_new_class && self.bindings.of_virtual(&change.cluster).is_some() {
            // Claims may have waited for it.
            for claim in cluster.list(&CLAIMS, None) {
                out.add(claim.key());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        mirrored::reconcile::<Self>(&sides, key).await?;
        tell_what_is_missing(&sides, key).await;
        let object = cx
            .cluster
            .get(&CLAIMS, key)
            .filter(|object| !object.meta().deleting);
        if let (Some(object), Claim::Ours { object: host, uid }) = (object, sides.claim(&CLAIMS, key))
            && uid == object.meta().uid
        {
            report(&sides, &object, &host.to_value()).await?;
        }
        Ok(Next::Wait)
    }
}

/// A claim that waits for its class says so, in the words of upstream's controller.
async fn tell_what_is_missing(sides: &Sides<'_>, key: &ObjectKey) {
    let object = sides.virtual_cluster.get(&CLAIMS, key);
    let Some(object) = object.filter(|object| !object.meta().deleting) else {
        return;
    };
    let claim = object.to_value();
    let class = class_of(&claim);
    let waits =
        matches!(sides.claim(&CLAIMS, key), Claim::Absent) && to_host::host_class(sides, class).is_none();
    if waits && PersistentVolumeClaims::is_on(&sides.binding.spec) {
        let about = EVENTS.about(sides.cx, &CLAIMS, &object);
        about
            .warning(
                "ProvisioningFailed",
                format!("storageclass.storage.k8s.io {class:?} not found"),
            )
            .await;
    }
}

/// The spec of the host's claim. A tenant may name a volume only if it is one that it is shown.
fn host_spec(sides: &Sides<'_>, value: &Value) -> Value {
    let tenant = &sides.binding.tenant;
    let mut spec = value.at("/spec").clone();
    if let Some(class) = to_host::host_class(sides, spec.text("/storageClassName"))
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
    } else {
        if !is_bound_here(sides, &volume) {
            spec.set(
                "/volumeName",
                tenant.host_cluster_name(Virtual(&volume)).0.as_str(),
            );
        }
    }
    for field in ["dataSource", "dataSourceRef"] {
        let Some(source) = spec.get_mut(field).filter(|source| source.is_object()) else {
            continue;
        };
        let there = source.take_at("/namespace");
        let key = Virtual(ObjectKey {
            namespace: SmolStr::new(there.as_ref().and_then(Value::as_str).unwrap_or(namespace)),
            name: SmolStr::new(source.text("/name")),
        });
        let name = tenant.host_name(&CLAIMS, &key).0;
        source.set("/name", name.as_str());
    }
    spec
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
async fn report(sides: &Sides<'_>, object: &Object, host: &Value) -> Result<(), ReconcileError> {
    let claim = object.to_value();
    let key = object.key();
    let mut patch = Value::Null;
    let volume = host.text("/spec/volumeName");
    if !volume.is_empty() && claim.text("/spec/volumeName").is_empty() {
        patch.set("/spec/volumeName", volume);
    }
    for annotation in OF_THE_HOST {
        let value = host.at("/metadata/annotations").field(annotation);
        if !value.is_null()
            && claim.at("/metadata/annotations").field(annotation) != value
            && let Some(annotations) = patch.object_at("/metadata/annotations")
        {
            annotations.insert((*annotation).to_owned(), value.clone());
        }
    }
    if !patch.is_null() {
        sides
            .virtual_cluster
            .merge_patch(&CLAIMS, &key, Part::Main, patch)
            .await?;
    }
    let mut status = host.at("/status").clone();
    if status.is_null() {
        return Ok(());
    }
    sides.wording(&CLAIMS, object).of_messages(&mut status);
    if let Some(patch) = difference(claim.at("/status"), &status) {
        let patch = json!({"status": patch});
        sides
            .virtual_cluster
            .merge_patch(&CLAIMS, &key, Part::Status, patch)
            .await?;
    }
    Ok(())
}
