//! Who controls what: owner references, adoption of what matches and release of what no longer does.

use std::sync::Arc;

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object, ObjectKey, OwnerReference, Resource, Status, StatusReason};
use warren_reconciler::{Change, Cluster, Part, Triggers};

use crate::label_selector::{self, Selector};

/// The `ownerReferences` entry of a managing controller.
pub(crate) fn controller_reference(resource: &Resource, owner: &Meta) -> Value {
    json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Whether `owner` is the managing controller of the object.
pub(crate) fn is_controlled_by(meta: &Meta, owner: &Meta) -> bool {
    meta.controller()
        .is_some_and(|reference| reference.uid == owner.uid)
}

/// Whether a reference names a kind, in whichever version of its group.
pub(crate) fn names(reference: &OwnerReference, resource: &Resource) -> bool {
    let group = reference
        .api_version
        .split_once('/')
        .map_or("", |(group, _)| group);
    reference.kind == resource.kind && group == resource.group
}

/// The key of the controller of an object, if it is of `resource`.
pub(crate) fn controller_key(meta: &Meta, resource: &Resource) -> Option<ObjectKey> {
    meta.controller()
        .filter(|reference| names(reference, resource))
        .map(|reference| ObjectKey {
            namespace: meta.namespace.clone(),
            name: reference.name.clone(),
        })
}

/// Adds the controllers of kind `resource` that a change of a dependent concerns: its controller now and before,
/// and for an object without one, all whose selector matches it.
pub(crate) fn trigger(change: &Change, cluster: &dyn Cluster, resource: &Resource, out: &mut Triggers<'_>) {
    let meta = change.object.meta();
    let mut keys: Vec<ObjectKey> = controller_key(meta, resource).into_iter().collect();
    if let Some(previous) = &change.previous {
        keys.extend(controller_key(previous.meta(), resource));
    }
    let relabelled = change.previous.as_ref().is_none_or(|previous| {
        previous.meta().labels != meta.labels || previous.meta().owners != meta.owners
    });
    if meta.controller().is_none() && !change.deleted && relabelled {
        let owners = cluster.list(resource, Some(&meta.namespace));
        let matching = owners
            .iter()
            .filter(|owner| label_selector::of_object(owner).matches(meta));
        keys.extend(matching.map(|owner| owner.key()));
    }
    keys.dedup();
    keys.into_iter().for_each(|key| out.add(key));
}

/// What becomes of one object in the eyes of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Ignore,
    Keep,
    Adopt,
    Release,
}

fn decide(owner: &Meta, object: &Meta, matches: bool) -> Claim {
    match object.controller() {
        Some(reference) if reference.uid != owner.uid => Claim::Ignore,
        Some(_) if matches => Claim::Keep,
        Some(_) if owner.deleting => Claim::Ignore,
        Some(_) => Claim::Release,
        None if owner.deleting || object.deleting || !matches => Claim::Ignore,
        None => Claim::Adopt,
    }
}

/// Those of `objects` that `owner` controls, after it adopted what its selector matches and released what it no
/// longer matches. Objects that went meanwhile are passed over.
pub(crate) async fn claim(
    cluster: &dyn Cluster,
    owner: (&Resource, &Meta),
    selector: &Selector,
    dependents: (&Resource, Vec<Arc<Object>>),
) -> Result<Vec<Arc<Object>>, Status> {
    let (owner_resource, owner) = owner;
    let (resource, objects) = dependents;
    let mut claimed = Vec::with_capacity(objects.len());
    for object in objects {
        match decide(owner, object.meta(), selector.matches(object.meta())) {
            Claim::Ignore => {}
            Claim::Keep => claimed.push(object),
            Claim::Adopt => {
                let mut references = references_without(&object, &owner.uid);
                references.push(controller_reference(owner_resource, owner));
                claimed.extend(write_references(cluster, resource, &object, references).await?);
            }
            Claim::Release => {
                let references = references_without(&object, &owner.uid);
                write_references(cluster, resource, &object, references).await?;
            }
        }
    }
    Ok(claimed)
}

/// The owner references of an object, as they are written.
pub(crate) fn references_of(object: &Object) -> Vec<Value> {
    object.to_value().items("/metadata/ownerReferences").to_vec()
}

/// The owner references of an object but those to one owner.
pub(crate) fn references_without(object: &Object, uid: &SmolStr) -> Vec<Value> {
    let mut references = references_of(object);
    references.retain(|reference| reference.text("/uid") != uid);
    references
}

/// Writes owner references, on condition that the object is the one that was read. `None` when it is gone.
pub(crate) async fn write_references(
    cluster: &dyn Cluster,
    resource: &Resource,
    object: &Object,
    references: Vec<Value>,
) -> Result<Option<Arc<Object>>, Status> {
    let meta = object.meta();
    let patch = json!({"metadata": {
        "uid": meta.uid,
        "resourceVersion": meta.revision.to_string(),
        "ownerReferences": references,
    }});
    match cluster
        .merge_patch(resource, &object.key(), Part::Main, patch)
        .await
    {
        Ok(object) => Ok(Some(object)),
        Err(status) if status.is(StatusReason::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(owner: Value, object: Value, matches: bool, expect: Claim) {
        let meta = |metadata: &Value| Meta::of(&json!({"metadata": metadata}));
        assert_eq!(
            decide(&meta(&owner), &meta(&object), matches),
            expect,
            "{owner} {object}"
        );
    }

    #[test]
    fn claims_follow_upstreams_rules() {
        let owner = json!({"uid": "o"});
        let going = json!({"uid": "o", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let owned = json!({"ownerReferences": [{"uid": "o", "controller": true}]});
        let foreign = json!({"ownerReferences": [{"uid": "x", "controller": true}]});
        check(owner.clone(), owned.clone(), true, Claim::Keep);
        check(owner.clone(), owned.clone(), false, Claim::Release);
        check(going.clone(), owned, false, Claim::Ignore);
        check(owner.clone(), foreign, true, Claim::Ignore);
        check(owner.clone(), json!({}), true, Claim::Adopt);
        check(owner.clone(), json!({}), false, Claim::Ignore);
        check(going, json!({}), true, Claim::Ignore);
        check(
            owner,
            json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            true,
            Claim::Ignore,
        );
    }
}
