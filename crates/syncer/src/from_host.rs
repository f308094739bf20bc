//! What the host shows its tenants: the mark of virtual objects that are ours, so that a tenant's own are left alone.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason};
use warren_reconciler::{Part, ReconcileError};

use crate::difference::difference;
use crate::sides::Sides;

/// The label of virtual objects that stand for objects of the host.
const FROM_HOST: &str = "warren.dev/from-host";

/// How an object is shown.
pub(crate) struct Shown {
    /// What the virtual object should be, status included.
    pub(crate) object: Value,
    /// The fields that the API does not let change: another value means another object.
    pub(crate) fixed: &'static [&'static str],
    /// The fields that follow the host, as pointers; the rest is the tenant's.
    pub(crate) follows: &'static [&'static str],
}

/// Whether a virtual object is ours.
pub(crate) fn is_ours(object: &Object) -> bool {
    object.meta().label(FROM_HOST).is_some()
}

/// Brings the virtual object `name` in step with what it should show; `None`: it should not be there.
pub(crate) async fn show(
    sides: &Sides<'_>,
    resource: &Resource,
    name: &str,
    shown: Option<Shown>,
) -> Result<(), ReconcileError> {
    let there = sides.virtual_cluster.get(resource, &ObjectKey::cluster(name));
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
    if shown
        .fixed
        .iter()
        .any(|field| value.at(field) != shown.object.at(field))
    {
        sides.delete_virtual(resource, there, None).await?;
        return create(sides, resource, shown).await;
    }
    let mut patch = Value::Null;
    for pointer in shown.follows {
        let (old, new) = (value.at(pointer), shown.object.at(pointer));
        // Labels and annotations of the tenant stay.
        let change = match *pointer {
            "/metadata/labels" | "/metadata/annotations" => added(old, new),
            _ => difference(old, new),
        };
        if let Some(change) = change {
            patch.set(pointer, change);
        }
    }
    if !patch.is_null() {
        sides
            .virtual_cluster
            .merge_patch(resource, &there.key(), Part::Main, patch)
            .await?;
    }
    write_status(sides, resource, there, shown.object.at("/status")).await
}

fn added(old: &Value, new: &Value) -> Option<Value> {
    let entries = new
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| old.field(key) != *value);
    let patch: serde_json::Map<String, Value> =
        entries.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

async fn write_status(
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
