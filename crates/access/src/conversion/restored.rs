//! The metadata of a converted object: what was sent, but for labels and annotations, which a conversion may change.

use serde_json::{Map, Value};
use warren_apimachinery::field::Path;
use warren_apimachinery::label;
use warren_apimachinery::value::ValueExt;
use warren_patch::managed::go_type;

/// `made` with the metadata of `sent`.
///
/// # Errors
/// What is wrong with the labels and annotations, in upstream's words.
pub(super) fn restored(sent: &Value, mut made: Value) -> Result<Value, String> {
    let Some(answered) = made.take_at("/metadata") else {
        return Err("missing metadata in converted object".to_owned());
    };
    let Value::Object(mut answered) = answered else {
        let found = go_type(&answered);
        return Err(format!("invalid metadata of type {found} in converted object"));
    };
    let mut metadata = match sent.at("/metadata") {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    for field in ["labels", "annotations"] {
        let new = match answered.remove(field) {
            None | Some(Value::Null) => {
                metadata.remove(field);
                continue;
            }
            Some(Value::Object(map)) => map,
            Some(other) => {
                let found = go_type(&other);
                return Err(format!(
                    "invalid metadata.{field} of type {found} in converted object"
                ));
            }
        };
        if let Some((key, value)) = new.iter().find(|(_, value)| !value.is_string()) {
            let found = go_type(value);
            return Err(format!(
                "metadata.{field}[{key}] must be a string, but is {found} in converted object"
            ));
        }
        let new = Value::Object(new);
        if metadata.get(field) != Some(&new) {
            check(field, &new)?;
        }
        metadata.insert(field.to_owned(), new);
    }
    made.set("/metadata", metadata);
    Ok(made)
}

/// What was changed must be what a client could have written.
fn check(field: &str, new: &Value) -> Result<(), String> {
    let path = Path::new("metadata");
    let errors = match field {
        "labels" => label::validate(new, &path.child("labels")),
        // Upstream's word for the field in this place.
        _ => label::validate_annotations(new, &path.child("annotation")),
    };
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}
