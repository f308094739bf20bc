//! JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

use crate::PatchError;

/// Applies a merge patch to `document`. Nulls go from what the patch brings anew, in lists too, as upstream's
/// library does it.
///
/// # Errors
/// `Malformed` where the patch is a scalar. A list takes the place of the document.
pub fn merge_patch(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Array(_) => {
            document.clone_from(patch);
            return Ok(());
        }
        _ => {
            return Err(PatchError::malformed(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                warren_apimachinery::value::go_kind(patch)
            )));
        }
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    if let Value::Object(fields) = document {
        merge(fields, patch);
    }
    Ok(())
}

fn merge(fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (fields.get_mut(name), value) {
            (_, Value::Null) => drop(fields.remove(name)),
            (Some(Value::Object(old)), Value::Object(patch)) => merge(old, patch),
            (Some(old @ Value::Object(_)), _) => old.clone_from(value),
            _ => drop(fields.insert(name.clone(), without_nulls(value))),
        }
    }
}

/// A value without the fields that are null. Elements that are null stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(elements) => elements.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(mut document: Value, patch: Value, expect: Value) {
        merge_patch(&mut document, &patch).unwrap();
        assert_eq!(document, expect);
    }

    #[test]
    fn sets_removes_and_replaces_as_the_rfc_says() {
        check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
        check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
        check(
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        );
        check(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}));
        check(
            json!({"a": [1]}),
            json!({"a": [{"b": null, "c": [null]}]}),
            json!({"a": [{"c": [null]}]}),
        );
        check(
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        );
    }

    #[test]
    fn refuses_a_patch_that_is_neither_an_object_nor_a_list() {
        let error = merge_patch(&mut json!({"a": 1}), &json!("x")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}"
        );
    }
}
