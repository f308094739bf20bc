//! The `VirtualCluster` object of a cluster as it was last seen, kept in the cluster's own store under a resource that
//! no catalogue serves: what a start goes by while the host does not answer.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Draft, GroupResource, Object, ObjectKey};
use warren_storage::{Store, Write, WriteKind};

use crate::error::FleetError;

fn resource() -> GroupResource {
    GroupResource {
        group: SmolStr::new_static("internal.warren.dev"),
        resource: SmolStr::new_static("virtualclusters"),
    }
}

fn key() -> ObjectKey {
    ObjectKey::cluster("wanted")
}

/// What was kept, as an object of the host; it has no revision, so whatever the host says is newer.
pub(crate) fn read(store: &Store) -> Option<Object> {
    let kept = store.latest(&resource(), &key())?.to_value();
    let object = kept.at("/object");
    object.is_object().then(|| Object::from_value(object))
}

/// Keeps what a later start needs, if that changed.
pub(crate) async fn write(store: &Store, object: &Value) -> Result<(), FleetError> {
    let wanted = essence(object);
    let there = store.latest(&resource(), &key());
    let change = match &there {
        None => WriteKind::Create(draft(&wanted)),
        Some(there) if *there.to_value().at("/object") == wanted => return Ok(()),
        Some(there) => WriteKind::Update {
            draft: draft(&wanted),
            expected: there.meta().revision,
        },
    };
    let write = Write {
        resource: resource(),
        key: key(),
        change,
    };
    let written = store.commit(write).await;
    written.map(|_| ()).map_err(|source| FleetError::Commit {
        cluster: store.cluster().clone(),
        source,
    })
}

fn draft(object: &Value) -> Draft {
    Draft::new(
        serde_json::json!({"metadata": {"name": "wanted"}, "object": object}),
        Box::default(),
    )
}

/// Neither revision nor conditions: they change often and tell a start nothing.
fn essence(object: &Value) -> Value {
    let mut kept = serde_json::json!({"apiVersion": object.at("/apiVersion"), "kind": object.at("/kind"),
        "spec": object.at("/spec")});
    for field in ["name", "namespace", "uid", "generation", "finalizers"] {
        kept.set(
            &format!("/metadata/{field}"),
            object.at("/metadata").field(field).clone(),
        );
    }
    for field in ["phase", "endpoint", "port", "dns", "observedGeneration"] {
        let value = object.at("/status").field(field);
        if !value.is_null() {
            kept.set(&format!("/status/{field}"), value.clone());
        }
    }
    kept
}
