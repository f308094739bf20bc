//! Typed views of objects. For reading only: a view drops the fields that it does not know.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use warren_apimachinery::Object;
use warren_reconciler::ReconcileError;

/// An object as its parts: metadata, spec and status, the latter empty while there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "Spec: DeserializeOwned, Status: DeserializeOwned + Default")]
pub(crate) struct Parts<Spec, Status> {
    /// The metadata.
    #[serde(default, deserialize_with = "without_managed_fields")]
    pub(crate) metadata: ObjectMeta,
    /// What is desired.
    pub(crate) spec: Spec,
    /// What was observed.
    #[serde(default)]
    pub(crate) status: Status,
}

/// Metadata without who owns which field: no controller looks at that, and reading it costs as much as the rest of a small
/// object.
fn without_managed_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let read = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        annotations: read.annotations,
        creation_timestamp: read.creation_timestamp,
        deletion_grace_period_seconds: read.deletion_grace_period_seconds,
        deletion_timestamp: read.deletion_timestamp,
        finalizers: read.finalizers,
        generate_name: read.generate_name,
        generation: read.generation,
        labels: read.labels,
        managed_fields: None,
        name: read.name,
        namespace: read.namespace,
        owner_references: read.owner_references,
        resource_version: read.resource_version,
        self_link: None,
        uid: read.uid,
    })
}

/// The fields of [`ObjectMeta`] that are read.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generate_name: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    uid: Option<String>,
}

/// Reads `object` as `T`. What cannot be read is not worth a retry until it changes.
pub(crate) fn view<T: DeserializeOwned>(object: &Object) -> Result<T, ReconcileError> {
    object
        .view()
        .map_err(|error| ReconcileError::Never(format!("{} cannot be read: {error}", object.key())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn metadata_is_read_but_for_who_owns_its_fields() {
        let mut metadata = json!({"annotations": {"a": "b"}, "creationTimestamp": "2026-11-22T10:00:00Z",
            "deletionGracePeriodSeconds": 3, "deletionTimestamp": "2026-11-22T11:00:00Z", "finalizers": ["f"],
            "generateName": "g-", "generation": 4, "labels": {"l": "m"}, "name": "g-1", "namespace": "n",
            "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "u", "controller": true}],
            "resourceVersion": "7", "uid": "w"});
        let wanted: ObjectMeta = serde_json::from_value(metadata.clone()).unwrap();
        metadata["managedFields"] = json!([{"manager": "m", "fieldsV1": {"f:spec": {}}}]);
        let object = Object::from_value(&json!({"metadata": metadata, "spec": {}}));
        let read: Parts<Value, Value> = view(&object).unwrap();
        assert_eq!(read.metadata, wanted);
    }
}
