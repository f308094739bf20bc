//! The garbage collector: objects whose owners are gone go too, in the background, in the foreground, or not at all when
//! they are orphaned. Owns the shell; `plan` decides.
//!
//! It sees every resource, so its keys name one: `deployments.apps/web` is the name of a key.

mod plan;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use warren_apimachinery::resource::{NAMESPACES, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{
    GroupResource, Meta, Object, ObjectKey, OwnerReference, Resource, Status, StatusReason,
};
use warren_reconciler::event::Recorder;
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, ReconcileError, Reconciler, Triggers,
};

use crate::owner::references_of;

use plan::{FOREGROUND, Fate, ORPHAN, OwnerState};

const RECORDER: Recorder = Recorder {
    component: "garbage-collector-controller",
};

/// The controller.
pub(crate) struct GarbageCollector;

fn key(resource: &GroupResource, meta: &Meta) -> ObjectKey {
    ObjectKey::namespaced(meta.namespace.clone(), format!("{resource}/{}", meta.name))
}

fn parse(key: &ObjectKey) -> Option<(GroupResource, ObjectKey)> {
    let (resource, name) = key.name.split_once('/')?;
    Some((
        GroupResource::parse(resource),
        ObjectKey::namespaced(key.namespace.clone(), name),
    ))
}

fn holds(meta: &Meta, finalizer: &str) -> bool {
    meta.finalizers.iter().any(|held| held == finalizer)
}

#[async_trait]
impl Reconciler for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn watches(&self) -> &'static [Resource] {
        &[]
    }

    fn watches_everything(&self) -> bool {
        true
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        let meta = change.object.meta();
        if change.deleted {
            for (resource, dependent) in dependents(cluster, meta) {
                out.add(key(&resource, dependent.meta()));
            }
            blocked_owners(cluster, meta, out);
            return;
        }
        let previous = change.previous.as_ref().map(|previous| previous.meta());
        let new_owners = !meta.owners.is_empty() && previous.is_none_or(|old| old.owners != meta.owners);
        let going = meta.deleting && (holds(meta, FOREGROUND) || holds(meta, ORPHAN));
        if new_owners || going {
            out.add(key(&change.resource, meta));
        }
        // An owner that waits for its dependents is told when one is released.
        if let Some(previous) = previous.filter(|previous| previous.owners != meta.owners) {
            blocked_owners(cluster, previous, out);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some((resource, key)) = parse(key) else {
            return Ok(Next::Wait);
        };
        let cluster = cx.cluster.as_ref();
        let Some(object) = cluster.find_any(&resource, &key) else {
            return Ok(Next::Wait);
        };
        let meta = object.meta();
        if meta.deleting {
            if holds(meta, ORPHAN) {
                orphan(cluster, &resource, &object).await?;
            } else if holds(meta, FOREGROUND) {
                delete_dependents(cluster, &resource, &object).await?;
            }
            return Ok(Next::Wait);
        }
        judge(cx, &resource, &object).await?;
        Ok(Next::Wait)
    }
}

/// All dependents of an object; those of a cluster-scoped one may be in any namespace.
fn dependents(cluster: &dyn Cluster, owner: &Meta) -> Vec<(GroupResource, Arc<Object>)> {
    let mut all = cluster.dependents(&owner.namespace, &owner.uid);
    if owner.namespace.is_empty() {
        for namespace in cluster.list(&NAMESPACES, None) {
            all.extend(cluster.dependents(&namespace.meta().name, &owner.uid));
        }
    }
    all
}

/// Adds the owners that wait in the foreground for this dependent.
fn blocked_owners(cluster: &dyn Cluster, dependent: &Meta, out: &mut Triggers<'_>) {
    for owner in dependent.owners.iter().filter(|owner| owner.block_owner_deletion) {
        if let Found::At(resource, owner) = find(cluster, dependent, owner)
            && holds(owner.meta(), FOREGROUND)
        {
            out.add(key(&resource, owner.meta()));
        }
    }
}

/// Where an owner reference leads.
enum Found {
    At(GroupResource, Arc<Object>),
    /// No object of that kind, name and uid where it should be.
    Nowhere(GroupResource),
    /// The kind is not served (now), so nothing can be said.
    UnknownKind,
    /// A cluster-scoped object cannot belong to a namespaced one.
    OutOfScope,
}

fn find(cluster: &dyn Cluster, dependent: &Meta, owner: &OwnerReference) -> Found {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(of_kind) = cluster.served(group, &owner.kind) else {
        return Found::UnknownKind;
    };
    let namespace = match of_kind.scope {
        Scope::Cluster => Default::default(),
        Scope::Namespaced if dependent.namespace.is_empty() => return Found::OutOfScope,
        Scope::Namespaced => dependent.namespace.clone(),
    };
    let key = ObjectKey::namespaced(namespace, owner.name.clone());
    match cluster.find_any(&of_kind.resource, &key) {
        Some(found) if found.meta().uid == owner.uid => Found::At(of_kind.resource, found),
        _ => Found::Nowhere(of_kind.resource),
    }
}

async fn judge(cx: &Context, resource: &GroupResource, object: &Arc<Object>) -> Result<(), ReconcileError> {
    let cluster = cx.cluster.as_ref();
    let meta = object.meta();
    let mut owners = Vec::with_capacity(meta.owners.len());
    for owner in &meta.owners {
        let state = match find(cluster, meta, owner) {
            Found::At(_, owner) if owner.meta().deleting && holds(owner.meta(), FOREGROUND) => {
                OwnerState::Waiting
            }
            Found::At(..) | Found::UnknownKind => OwnerState::Solid,
            Found::OutOfScope => {
                tell_invalid_namespace(cx, resource, object, owner).await;
                OwnerState::Solid
            }
            Found::Nowhere(of_kind) => {
                if lives_elsewhere(cluster, &of_kind, owner) {
                    tell_invalid_namespace(cx, resource, object, owner).await;
                }
                OwnerState::Absent
            }
        };
        owners.push((owner.clone(), state));
    }
    let has_dependents = !cluster.dependents(&meta.namespace, &meta.uid).is_empty();
    match plan::fate(meta, &owners, has_dependents) {
        Fate::Keep => Ok(()),
        Fate::Release(uids) => Ok(release(cluster, resource, object, &uids).await?),
        // The change that this makes brings the object here again.
        Fate::Delete(_) if is_circular(cluster, meta) => Ok(unblock(cluster, resource, object).await?),
        Fate::Delete(propagation) => {
            let options = DeleteOptions {
                uid: Some(meta.uid.to_string()),
                resource_version: Some(meta.revision.to_string()),
                propagation: Some(propagation),
                grace_period_seconds: None,
            };
            Ok(ignore_missing(
                cluster.delete_any(resource, &object.key(), options).await,
            )?)
        }
    }
}

fn lives_elsewhere(cluster: &dyn Cluster, resource: &GroupResource, owner: &OwnerReference) -> bool {
    cluster
        .list_any(resource, None)
        .iter()
        .any(|object| object.meta().uid == owner.uid)
}

async fn tell_invalid_namespace(
    cx: &Context,
    resource: &GroupResource,
    object: &Object,
    owner: &OwnerReference,
) {
    let served = cx.cluster.resources();
    let Some(of_kind) = served.iter().find(|served| served.resource == *resource) else {
        return;
    };
    let meta = object.meta();
    let api_version = match resource.group.as_str() {
        "" => of_kind.version.clone(),
        group => format!("{group}/{}", of_kind.version),
    };
    let involved = json!({"apiVersion": api_version, "kind": of_kind.kind, "name": meta.name,
        "namespace": meta.namespace, "uid": meta.uid, "resourceVersion": meta.revision.to_string()});
    let OwnerReference {
        api_version,
        kind,
        name,
        uid,
        ..
    } = owner;
    let message = format!(
        "ownerRef [{api_version}/{kind}, namespace: {}, name: {name}, uid: {uid}] does not exist in namespace {:?}",
        meta.namespace, meta.namespace
    );
    RECORDER
        .about_reference(cx, involved)
        .warning("OwnerRefInvalidNamespace", message)
        .await;
}

/// Takes owner references away.
async fn release(
    cluster: &dyn Cluster,
    resource: &GroupResource,
    object: &Object,
    uids: &[smol_str::SmolStr],
) -> Result<(), Status> {
    let mut kept = references_of(object);
    kept.retain(|reference| !uids.iter().any(|lost| lost == reference.text("/uid")));
    let references = json!({"metadata": {"uid": object.meta().uid,
        "resourceVersion": object.meta().revision.to_string(), "ownerReferences": kept}});
    ignore_missing(
        cluster
            .patch_any(resource, &object.key(), references)
            .await
            .map(|_| ()),
    )
}

/// Whether an object that is to go has itself a dependent that waits for its own: such a circle would wait for ever.
fn is_circular(cluster: &dyn Cluster, meta: &Meta) -> bool {
    let blocks = meta.owners.iter().any(|owner| owner.block_owner_deletion);
    blocks
        && dependents(cluster, meta)
            .iter()
            .any(|(_, dependent)| dependent.meta().deleting && holds(dependent.meta(), FOREGROUND))
}

/// Lets no owner wait for this object any longer.
async fn unblock(cluster: &dyn Cluster, resource: &GroupResource, object: &Object) -> Result<(), Status> {
    let mut references = references_of(object);
    for reference in &mut references {
        reference.set("/blockOwnerDeletion", false);
    }
    let patch = json!({"metadata": {"uid": object.meta().uid, "ownerReferences": references}});
    ignore_missing(
        cluster
            .patch_any(resource, &object.key(), patch)
            .await
            .map(|_| ()),
    )
}

/// Sets all dependents free, then lets the object go.
async fn orphan(cluster: &dyn Cluster, resource: &GroupResource, object: &Object) -> Result<(), Status> {
    for (of_dependent, dependent) in dependents(cluster, object.meta()) {
        release(
            cluster,
            &of_dependent,
            &dependent,
            std::slice::from_ref(&object.meta().uid),
        )
        .await?;
    }
    drop_finalizer(cluster, resource, object, ORPHAN).await
}

/// Deletes what depends on the object; when nothing that blocks is left, lets the object go.
async fn delete_dependents(
    cluster: &dyn Cluster,
    resource: &GroupResource,
    object: &Object,
) -> Result<(), ReconcileError> {
    let uid = &object.meta().uid;
    let all = dependents(cluster, object.meta());
    let mut blocking = BTreeSet::new();
    for (of_dependent, dependent) in &all {
        let meta = dependent.meta();
        let blocks = meta
            .owners
            .iter()
            .any(|owner| owner.uid == *uid && owner.block_owner_deletion);
        if blocks {
            blocking.insert(meta.uid.clone());
        }
        if meta.deleting {
            continue;
        }
        if blocks && is_circular(cluster, meta) {
            unblock(cluster, of_dependent, dependent).await?;
            blocking.remove(&meta.uid);
        }
        // One with another owner that stays is released, not deleted.
        let stays = meta.owners.iter().filter(|owner| owner.uid != *uid).any(|owner| {
            matches!(find(cluster, meta, owner), Found::At(_, owner) if !holds(owner.meta(), FOREGROUND))
        });
        if stays {
            release(cluster, of_dependent, dependent, std::slice::from_ref(uid)).await?;
            blocking.remove(&meta.uid);
            continue;
        }
        let owned = cluster.dependents(&meta.namespace, &meta.uid);
        let propagation = plan::fate(
            meta,
            &[(waiting_reference(uid), OwnerState::Waiting)],
            !owned.is_empty(),
        );
        let Fate::Delete(propagation) = propagation else {
            continue;
        };
        let options = DeleteOptions {
            uid: Some(meta.uid.to_string()),
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        ignore_missing(cluster.delete_any(of_dependent, &dependent.key(), options).await)?;
        if cluster
            .find_any(of_dependent, &dependent.key())
            .is_none_or(|now| now.meta().uid != meta.uid)
        {
            blocking.remove(&meta.uid);
        }
    }
    if blocking.is_empty() {
        drop_finalizer(cluster, resource, object, FOREGROUND).await?;
    }
    Ok(())
}

fn waiting_reference(uid: &smol_str::SmolStr) -> OwnerReference {
    OwnerReference {
        api_version: Default::default(),
        kind: Default::default(),
        name: Default::default(),
        uid: uid.clone(),
        controller: false,
        block_owner_deletion: true,
    }
}

async fn drop_finalizer(
    cluster: &dyn Cluster,
    resource: &GroupResource,
    object: &Object,
    finalizer: &str,
) -> Result<(), Status> {
    let Some(current) = cluster.find_any(resource, &object.key()) else {
        return Ok(());
    };
    let left: Vec<_> = current
        .meta()
        .finalizers
        .iter()
        .filter(|held| *held != finalizer)
        .collect();
    let patch = json!({"metadata": {"uid": current.meta().uid,
        "resourceVersion": current.meta().revision.to_string(), "finalizers": left}});
    ignore_missing(
        cluster
            .patch_any(resource, &object.key(), patch)
            .await
            .map(|_| ()),
    )
}

fn ignore_missing(result: Result<(), Status>) -> Result<(), Status> {
    match result {
        Err(status) if status.is(StatusReason::NotFound) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
