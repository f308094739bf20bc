//! Config maps and secrets: on the host only while a pod (or another synced object) refers to them. The two kinds
//! differ in little; this holds what they share.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_config::{ReferencedOrAll, VirtualClusterSpec};
use warren_reconciler::{Change, Part, ReconcileError, Triggers};

use crate::applied::{APPLIED, Applied, Parts, metadata_parts, metadata_patch};
use crate::binding::Bindings;
use crate::difference::difference;
use crate::patches::{self, Scene};
use crate::pod::references::references;
use crate::sides::{Claim, Sides, trigger};

/// Annotations by which a tenant asks for an object that no pod refers to.
const FORCE: &[&str] = &["warren.dev/force-sync", "vcluster.loft.sh/force-sync"];

/// What one kind supplies.
pub(crate) trait Kind {
    /// The kind.
    const RESOURCE: Resource;
    /// The fields beside metadata that the host object has.
    const FIELDS: &'static [&'static str];

    /// What of it is synced.
    fn wanted<'a>(sides: &'a Sides<'_>) -> &'a ReferencedOrAll;

    /// Fills in what is not simply copied.
    fn shape(_host: &mut Value) {}

    /// What else than pods refers to it.
    const REFERRERS: &'static [Referrer];
}

/// A kind beside pods that names config maps or secrets.
pub(crate) struct Referrer {
    pub(crate) resource: Resource,
    /// Whether the configuration carries it to the host.
    pub(crate) is_on: fn(&VirtualClusterSpec) -> bool,
    /// What an object of it names.
    pub(crate) names: fn(&Value) -> Vec<ObjectKey>,
}

/// Queues the object itself, and what a pod referred to that is gone now.
pub(crate) fn triggers<K: Kind>(bindings: &dyn Bindings, change: &Change, out: &mut Triggers<'_>) {
    trigger(bindings, &K::RESOURCE, change, out);
    if K::RESOURCE.is(&change.resource) {
        return;
    }
    let Some(binding) = bindings.of_virtual(&change.cluster) else {
        return;
    };
    for referrer in K::REFERRERS {
        if referrer.resource.is(&change.resource) && (referrer.is_on)(&binding.spec) {
            let versions = [Some(&change.object), change.previous.as_ref()]
                .into_iter()
                .flatten();
            let named = versions.flat_map(|object| (referrer.names)(&object.to_value()));
            named.for_each(|key| out.add(key));
        }
    }
    if !resource::PODS.is(&change.resource) || !change.deleted {
        return;
    }
    let namespace = &change.object.meta().namespace;
    for (_, name) in references(change.object.to_value().at("/spec"))
        .into_iter()
        .filter(|(resource, _)| **resource == K::RESOURCE)
    {
        out.add(ObjectKey::namespaced(namespace.clone(), name));
    }
}

/// Brings the host object of one key in step, or removes it.
pub(crate) async fn reconcile<K: Kind>(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    let wanted = K::wanted(sides);
    if !wanted.enabled {
        return Ok(());
    }
    let object = sides.virtual_cluster.get(&K::RESOURCE, key);
    let object = object.filter(|object| wanted.all || is_wanted::<K>(sides, key, object));
    match (object, sides.claim(&K::RESOURCE, key)) {
        (Some(object), claim) => keep::<K>(sides, &object, claim).await,
        (None, Claim::Ours { object, .. }) => sides.delete_host(&K::RESOURCE, &object, None).await,
        (None, _) => Ok(()),
    }
}

/// Brings the host object of something that a pod is about to refer to in step.
pub(crate) async fn ensure<K: Kind>(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    if !K::wanted(sides).enabled {
        return Ok(());
    }
    match sides.virtual_cluster.get(&K::RESOURCE, key) {
        Some(object) => keep::<K>(sides, &object, sides.claim(&K::RESOURCE, key)).await,
        None => Ok(()),
    }
}

async fn keep<K: Kind>(sides: &Sides<'_>, object: &Object, claim: Claim) -> Result<(), ReconcileError> {
    let value = object.to_value();
    let there = match &claim {
        Claim::Ours { object, .. } => object.to_value(),
        Claim::Absent | Claim::Foreign => Value::Null,
    };
    let wanted = match host_object::<K>(sides, &value, &there) {
        Ok(wanted) => wanted,
        Err(why) => {
            sides.warn(&K::RESOURCE, object, &why).await;
            return Err(ReconcileError::Never(why));
        }
    };
    let mut parts = Parts::new();
    metadata_parts(wanted.at("/metadata"), &mut parts);
    match claim {
        Claim::Foreign => {
            sides.taken(&K::RESOURCE, object).await;
            Ok(())
        }
        Claim::Absent => create::<K>(sides, object, wanted, &parts).await,
        Claim::Ours { object: host, uid } => {
            // Another incarnation, or a change that the API does not allow: a new object.
            if uid != object.meta().uid || is_fixed::<K>(&there, &wanted) {
                sides.delete_host(&K::RESOURCE, &host, None).await?;
                return create::<K>(sides, object, wanted, &parts).await;
            }
            let Some(patch) = patch::<K>(&there, &wanted, &parts) else {
                return Ok(());
            };
            match sides
                .host
                .merge_patch(&K::RESOURCE, &host.key(), Part::Main, patch)
                .await
            {
                Ok(_) => Ok(()),
                Err(status) => Err(sides.refused(&K::RESOURCE, object, status).await),
            }
        }
    }
}

async fn create<K: Kind>(
    sides: &Sides<'_>,
    object: &Object,
    mut wanted: Value,
    parts: &Parts,
) -> Result<(), ReconcileError> {
    if let Some(annotations) = wanted.object_at("/metadata/annotations") {
        annotations.insert(APPLIED.to_owned(), Applied::of(parts).to_text().into());
    }
    sides.create_host(&K::RESOURCE, object, wanted).await?;
    Ok(())
}

/// # Errors
/// Which patch of the configuration fails, and why.
fn host_object<K: Kind>(sides: &Sides<'_>, value: &Value, there: &Value) -> Result<Value, String> {
    let mut host = json!({"apiVersion": K::RESOURCE.api_version(), "kind": K::RESOURCE.kind,
        "metadata": crate::sides::host_metadata(&sides.binding, &K::RESOURCE, value)});
    for field in K::FIELDS {
        if !value.field(field).is_null() {
            host.set(&format!("/{field}"), value.field(field).clone());
        }
    }
    K::shape(&mut host);
    let scene = Scene {
        binding: &sides.binding,
        virtual_object: value,
        host_object: there,
    };
    patches::to_host(&K::wanted(sides).patches, &scene, &mut host)?;
    Ok(host)
}

/// The patch that brings the host object in step: content as the tenant's, metadata three-way.
fn patch<K: Kind>(host: &Value, wanted: &Value, parts: &Parts) -> Option<Value> {
    let mut patch = json!({});
    for field in K::FIELDS {
        if let Some(change) = difference(host.field(field), wanted.field(field)) {
            patch.set(&format!("/{field}"), change);
        }
    }
    let base = Applied::read(host);
    let metadata = metadata_patch(host, &base, parts);
    if !metadata.is_null() {
        patch.set("/metadata", metadata);
    }
    if base != Applied::of(parts) {
        let pointer = format!("/metadata/annotations/{}", APPLIED.replace('/', "~1"));
        patch.set(&pointer, Applied::of(parts).to_text());
    }
    (patch != json!({})).then_some(patch)
}

/// Whether the API refuses to make `wanted` of `host`.
fn is_fixed<K: Kind>(host: &Value, wanted: &Value) -> bool {
    let differs = K::FIELDS
        .iter()
        .any(|field| host.field(field) != wanted.field(field));
    let immutable = host.at("/immutable").as_bool().unwrap_or_default();
    (immutable && differs) || host.text("/type") != wanted.text("/type")
}

fn is_wanted<K: Kind>(sides: &Sides<'_>, key: &ObjectKey, object: &Object) -> bool {
    is_forced(object) || is_referenced::<K>(sides, key) || is_referenced_elsewhere::<K>(sides, key)
}

fn is_forced(object: &Object) -> bool {
    if !contains(&object.bytes(), b"/force-sync") {
        return false;
    }
    let value = object.to_value();
    let annotations = value.at("/metadata/annotations");
    FORCE
        .iter()
        .any(|key| annotations.field(key).as_str() == Some("true"))
}

/// Looks at the pods of the namespace; only those whose bytes hold the name are parsed.
fn is_referenced<K: Kind>(sides: &Sides<'_>, key: &ObjectKey) -> bool {
    let needle = format!("\"{}\"", key.name);
    let pods = sides.virtual_cluster.list(&resource::PODS, Some(&key.namespace));
    pods.iter()
        .filter(|pod| contains(&pod.bytes(), needle.as_bytes()))
        .any(|pod| {
            let value = pod.to_value();
            let mut all = references(value.at("/spec")).into_iter();
            all.any(|(resource, name)| *resource == K::RESOURCE && key.name == name)
        })
}

/// As `is_referenced`, for what may refer from other namespaces, too.
fn is_referenced_elsewhere<K: Kind>(sides: &Sides<'_>, key: &ObjectKey) -> bool {
    let on = K::REFERRERS
        .iter()
        .filter(|referrer| (referrer.is_on)(&sides.binding.spec));
    on.into_iter().any(|referrer| {
        let all = sides.virtual_cluster.list(&referrer.resource, None);
        all.iter()
            .filter(|object| contains(&object.bytes(), key.name.as_bytes()))
            .any(|object| (referrer.names)(&object.to_value()).contains(key))
    })
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}
