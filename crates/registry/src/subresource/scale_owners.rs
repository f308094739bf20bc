//! Who owns the replicas: `managedFields` of an object as those of its `Scale`, and back, as upstream's `ScaleHandler`.
//!
//! Pure functions of the entries.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

use super::scale::API_VERSION;

/// The pointer to the replicas within `fieldsV1`, of the one to the replicas within the object.
pub(super) fn field(replicas: &str) -> String {
    replicas.split('/').skip(1).fold(String::new(), |mut path, name| {
        path.push_str("/f:");
        path.push_str(name);
        path
    })
}

/// The entries of a `Scale`: whoever owns the replicas of the object owns those of the scale.
pub(super) fn of_scale(entries: &[Value], replicas: &str) -> Vec<Value> {
    let owns = |entry: &&Value| !entry.field("fieldsV1").at(replicas).is_null();
    let translate = |entry: &Value| {
        let mut entry = entry.clone();
        entry.set("/apiVersion", API_VERSION);
        entry.set("/fieldsV1", json!({"f:spec": {"f:replicas": {}}}));
        entry
    };
    entries.iter().filter(owns).map(translate).collect()
}

/// The entries of the object (of `api_version`) after its scale was written: the replicas are taken from who no longer
/// owns them, and given to who does now.
pub(super) fn of_object(entries: &[Value], scale: &[Value], replicas: &str, api_version: &str) -> Vec<Value> {
    let mut new: Vec<Value> = scale.to_vec();
    let mut kept = Vec::with_capacity(entries.len() + 1);
    for entry in entries {
        let mut entry = entry.clone();
        if !entry.field("fieldsV1").at(replicas).is_null() {
            match new.iter().position(|other| is_same_owner(&entry, other)) {
                Some(at) => {
                    new.swap_remove(at);
                }
                None => {
                    let mut fields = entry.field("fieldsV1").clone();
                    remove(&mut fields, replicas);
                    entry.set("/fieldsV1", fields);
                }
            }
        }
        let owns_something = entry
            .field("fieldsV1")
            .as_object()
            .is_some_and(|fields| !fields.is_empty());
        if owns_something {
            kept.push(entry);
        }
    }
    kept.extend(new.into_iter().map(|mut entry| {
        let mut fields = Value::Object(Map::new());
        fields.set(replicas, Map::new());
        entry.set("/apiVersion", api_version);
        entry.set("/fieldsV1", fields);
        // Upstream looks for the time among those of the object, where there is none.
        entry.take_at("/time");
        entry
    }));
    let text = |entry: &Value, field: &str| entry.field(field).as_str().unwrap_or_default().to_owned();
    kept.sort_by_key(|entry| {
        ["operation", "time", "manager", "apiVersion", "subresource"].map(|field| text(entry, field))
    });
    kept
}

fn is_same_owner(a: &Value, b: &Value) -> bool {
    ["manager", "operation", "subresource"]
        .iter()
        .all(|field| a.field(field) == b.field(field))
}

/// Takes out what stands at `pointer`, and the maps around it that are empty then.
fn remove(fields: &mut Value, pointer: &str) {
    fields.take_at(pointer);
    if let Some((parent, _)) = pointer.rsplit_once('/') {
        let is_empty = fields.at(parent).as_object().is_some_and(Map::is_empty);
        if is_empty && !parent.is_empty() {
            remove(fields, parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, subresource: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "subresource": subresource, "fieldsV1": fields})
    }

    #[test]
    fn replicas_go_from_who_loses_them_to_who_scales() {
        let replicas = field("/spec/replicas");
        let before = [
            entry("one", "", json!({"f:spec": {"f:replicas": {}, "f:paused": {}}})),
            entry("two", "scale", json!({"f:spec": {"f:replicas": {}}})),
        ];
        let scale = of_scale(&before, &replicas);
        assert_eq!(scale.len(), 2);
        let applied = [json!({"manager": "three", "operation": "Apply", "subresource": "scale"})];
        let after = of_object(&before, &applied, &replicas, "apps/v1");
        assert_eq!(
            after,
            [
                json!({
                    "manager": "three", "operation": "Apply", "subresource": "scale",
                    "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:replicas": {}}}
                }),
                entry("one", "", json!({"f:spec": {"f:paused": {}}})),
            ]
        );
        assert_eq!(of_object(&before, &scale, &replicas, "apps/v1"), before);
    }
}
