//! What the host shows its tenants: the mark of virtual objects that are ours, so that a tenant's own are left alone.

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason};
use warren_reconciler::{Part, ReconcileError};

use crate::difference::difference;
use crate::sides::Sides;

/// The label of virtual objects that stand for objects of the host.
pub(crate) const FROM_HOST: &str = "warren.dev/from-host";

/// How an object is shown.
pub(crate) struct Shown {
    /// What the virtual object should be, status included.
    pub(crate) object: Value,
    /// The fields that the API does not let change: another value means another object.
    pub(crate) fixed: &'static [&'static str],
    /// The fields that follow the host, as pointers; the rest is the tenant's. None named: all of them, and nothing is
    /// the tenant's.
    pub(crate) follows: &'static [&'static str],
}

/// Whether a virtual object says of itself that it is ours.
pub(crate) fn says_ours(object: &Value) -> bool {
    !object.at("/metadata/labels").field(FROM_HOST).is_null()
}

/// Whether a virtual object is ours.
pub(crate) fn is_ours(object: &Object) -> bool {
    object.meta().label(FROM_HOST).is_some()
}

/// Brings the virtual object `key` in step with what it should show; `None`: it should not be there.
pub(crate) async fn show(
    sides: &Sides<'_>,
    resource: &Resource,
    key: &ObjectKey,
    shown: Option<Shown>,
) -> Result<(), ReconcileError> {
    let there = sides.virtual_cluster.get(resource, key);
    match (shown, there) {
        (None, Some(there)) if is_ours(&there) => remove(sides, resource, &there).await,
        (None, _) => Ok(()),
        (Some(shown), None) => create(sides, resource, shown).await,
        (Some(shown), Some(there)) if is_ours(&there) => follow(sides, resource, shown, &there).await,
        (Some(_), Some(_)) => Ok(()),
    }
}

/// Nobody but us finalises what we show: protection of volumes is the host's.
async fn remove(sides: &Sides<'_>, resource: &Resource, there: &Object) -> Result<(), ReconcileError> {
    if !there.meta().finalizers.is_empty() {
        let patch = serde_json::json!({"metadata": {"finalizers": null, "uid": there.meta().uid}});
        match sides
            .virtual_cluster
            .merge_patch(resource, &there.key(), Part::Main, patch)
            .await
        {
            Err(status) if status.is(StatusReason::NotFound) => return Ok(()),
            patched => patched?,
        };
    }
    sides.delete_virtual(resource, there, None).await
}

async fn create(sides: &Sides<'_>, resource: &Resource, shown: Shown) -> Result<(), ReconcileError> {
    let mut object = shown.object;
    object.set("/apiVersion", resource.api_version());
    object.set("/kind", resource.kind);
    object.set("/metadata/labels/warren.dev~1from-host", "true");
    let status = object.at("/status").clone();
    let made = match sides.virtual_cluster.create(resource, object).await {
        Err(status) if status.is(StatusReason::AlreadyExists) => return Ok(()),
        made => made?,
    };
    write_status(sides, resource, &made, &status).await
}

async fn follow(
    sides: &Sides<'_>,
    resource: &Resource,
    shown: Shown,
    there: &Object,
) -> Result<(), ReconcileError> {
    let value = there.to_value();
    if is_another(&shown, &value) {
        sides.delete_virtual(resource, there, None).await?;
        return create(sides, resource, shown).await;
    }
    let patch = match shown.follows {
        [] => whole_patch(&value, &shown.object),
        follows => partial_patch(&value, &shown.object, follows),
    };
    if !patch.is_null() {
        sides
            .virtual_cluster
            .merge_patch(resource, &there.key(), Part::Main, patch)
            .await?;
    }
    write_status(sides, resource, there, shown.object.at("/status")).await
}

/// Whether the API would refuse to make the one of the other.
fn is_another(shown: &Shown, there: &Value) -> bool {
    let differs = |field: &str| there.at(field) != shown.object.at(field);
    let immutable = there.at("/immutable").as_bool().unwrap_or_default();
    shown.fixed.iter().any(|field| differs(field))
        || (immutable && ["/data", "/binaryData", "/immutable"].into_iter().any(differs))
}

/// Labels and annotations of the tenant stay.
fn partial_patch(there: &Value, wanted: &Value, follows: &[&str]) -> Value {
    let mut patch = Value::Null;
    for pointer in follows {
        let (old, new) = (there.at(pointer), wanted.at(pointer));
        let change = match *pointer {
            "/metadata/labels" | "/metadata/annotations" => added(old, new),
            _ => difference(old, new),
        };
        if let Some(change) = change {
            patch.set(pointer, change);
        }
    }
    patch
}

/// Everything but the status and the API's own bookkeeping; the mark stays, and so does what `kubectl apply` notes.
fn whole_patch(there: &Value, wanted: &Value) -> Value {
    const ENVELOPE: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
    let body = |value: &Value| -> Value {
        let fields = value.as_object().into_iter().flatten();
        let fields = fields.filter(|(field, _)| !ENVELOPE.contains(&field.as_str()));
        fields
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect::<Map<_, _>>()
            .into()
    };
    let mut patch = difference(&body(there), &body(wanted)).unwrap_or_default();
    for (map, kept) in [
        ("labels", FROM_HOST),
        ("annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    ] {
        let mut old = there
            .at("/metadata")
            .field(map)
            .as_object()
            .cloned()
            .unwrap_or_default();
        old.remove(kept);
        let new = wanted
            .at("/metadata")
            .field(map)
            .as_object()
            .cloned()
            .unwrap_or_default();
        if let Some(change) = difference(&old.into(), &new.into()) {
            patch.set(&format!("/metadata/{map}"), change);
        }
    }
    patch
}

fn added(old: &Value, new: &Value) -> Option<Value> {
    let entries = new
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| old.field(key) != *value);
    let patch: Map<String, Value> = entries.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

pub(crate) async fn write_status(
    sides: &Sides<'_>,
    resource: &Resource,
    there: &Object,
    status: &Value,
) -> Result<(), ReconcileError> {
    if status.is_null() {
        return Ok(());
    }
    let Some(patch) = difference(there.to_value().at("/status"), status) else {
        return Ok(());
    };
    let patch = serde_json::json!({"status": patch});
    sides
        .virtual_cluster
        .merge_patch(resource, &there.key(), Part::Status, patch)
        .await?;
    Ok(())
}
