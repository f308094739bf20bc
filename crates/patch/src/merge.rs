//! JSON merge patch (RFC 7386).

use serde_json::Value;

use crate::PatchError;

/// Applies a merge patch to `document`.
///
/// # Errors
/// `Malformed` where the patch is not an object: upstream does not let a patch replace an object by a scalar.
pub fn merge_patch(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    if !patch.is_object() {
        return Err(PatchError::malformed(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            warren_apimachinery::value::go_kind(patch)
        )));
    }
    json_patch::merge(document, patch);
    Ok(())
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
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        );
    }

    #[test]
    fn refuses_a_patch_that_is_not_an_object() {
        let error = merge_patch(&mut json!({"a": 1}), &json!([1])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
    }
}
