//! Objects as a journal keeps them, and back: their bytes, and of the index only what the bytes do not say.
//! Shared by the journal implementations.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::{Meta, Object, Revision};

/// The selectable fields as compact text; `None` when there are none, which is common.
pub fn fields_to_text(fields: &[(SmolStr, SmolStr)]) -> Option<String> {
    if fields.is_empty() {
        return None;
    }
    serde_json::to_string(fields).ok()
}

/// The reverse of [`fields_to_text`]; `None` when the text is damaged.
pub fn fields_from_text(text: &str) -> Option<Box<[(SmolStr, SmolStr)]>> {
    serde_json::from_str::<Vec<(SmolStr, SmolStr)>>(text)
        .ok()
        .map(Vec::into_boxed_slice)
}

/// What the index reads of an object. Everything else is skipped without being built, which is most of it.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(default)]
    metadata: Indexed,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Indexed {
    namespace: Value,
    name: Value,
    uid: Value,
    labels: Value,
    owner_references: Value,
    finalizers: Value,
    deletion_timestamp: Value,
}

/// Rebuilds an object from its bytes, its revision and its selectable fields. `None` when the bytes are not
/// those of an object.
pub fn revive(bytes: Bytes, revision: Revision, fields: Box<[(SmolStr, SmolStr)]>) -> Option<Object> {
    // Without this, a list would pass for the fields in their order.
    bytes.first().filter(|first| **first == b'{')?;
    let envelope: Envelope = serde_json::from_slice(&bytes).ok()?;
    let mut meta = Meta::of(&serde_json::to_value(envelope).ok()?);
    meta.revision = revision;
    meta.fields = fields;
    Some(Object::new(bytes, meta))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::Draft;

    use super::*;

    fn check(value: Value, fields: &[(&str, &str)]) {
        let fields: Box<[_]> = fields
            .iter()
            .map(|(k, v)| (SmolStr::new(k), SmolStr::new(v)))
            .collect();
        let object = Draft::new(value, fields.clone()).at(Revision(9));
        let text = fields_to_text(&fields);
        let fields = text
            .map(|text| fields_from_text(&text).unwrap())
            .unwrap_or_default();
        let revived = revive(object.bytes(), Revision(9), fields).unwrap();
        assert_eq!(revived.meta(), object.meta());
        assert_eq!(revived.bytes(), object.bytes());
    }

    #[test]
    fn an_object_comes_back_with_the_index_it_had() {
        check(json!({"metadata": {"name": "a"}}), &[]);
        check(json!({"kind": "Pod", "metadata": {}}), &[("spec.nodeName", "")]);
        check(
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n", "metadata": {"name": "no"}},
                "metadata": {"name": "a", "namespace": "b", "uid": "u", "labels": {"z": "1", "a": "2", "e": ""},
                    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:metadata": {}}}],
                    "finalizers": ["x/y", "z"], "deletionTimestamp": "2026-01-01T00:00:00Z",
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "q",
                        "controller": true, "blockOwnerDeletion": true}, {"name": "s"}]}}),
            &[("spec.nodeName", "n"), ("status.phase", "Run\"ning")],
        );
    }

    #[test]
    fn bytes_that_are_no_object_are_refused() {
        for bytes in ["", "null", "[]", "{\"metadata\":", "{\"metadata\":3}"] {
            assert!(
                revive(Bytes::from(bytes), Revision(1), Box::default()).is_none(),
                "{bytes}"
            );
        }
    }
}
