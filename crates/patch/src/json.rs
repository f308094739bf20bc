//! JSON patch (RFC 6902), with the liberties of the library upstream uses: negative indices count from the
//! end, and a `test` for null is met by an absent field.

use json_patch::jsonptr::PointerBuf;
use json_patch::{PatchOperation, TestOperation};
use serde_json::Value;

use crate::PatchError;
use warren_apimachinery::value::go_kind;

/// The operations that one patch may have.
pub const MAX_OPERATIONS: usize = 10_000;

/// The bytes that the `copy` operations of one patch may add, as upstream limits them.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;

/// Applies a JSON patch to `document`, one operation after the other. After an error the document is changed
/// in part: the caller discards it.
///
/// # Errors
/// `Malformed` where the patch is not a list of operations, `TooManyOperations` above [`MAX_OPERATIONS`],
/// `DoesNotFit` where an operation fails.
pub fn json_patch(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let Value::Array(operations) = patch else {
        return Err(undecodable(patch, "[]handlers.jsonPatchOp"));
    };
    for operation in operations {
        check_form(operation)?;
    }
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations {
            limit: MAX_OPERATIONS,
            found: operations.len(),
        });
    }
    let mut copied = 0;
    for operation in operations {
        apply_one(document, operation, &mut copied)?;
    }
    Ok(())
}

fn undecodable(found: &Value, into: &str) -> PatchError {
    PatchError::malformed(format!(
        "error decoding patch: json: cannot unmarshal {} into Go value of type {into}",
        go_kind(found)
    ))
}

/// Operations are objects whose `op`, `path` and `from` are text; everything else is found out while applying.
fn check_form(operation: &Value) -> Result<(), PatchError> {
    let Value::Object(fields) = operation else {
        return Err(undecodable(operation, "handlers.jsonPatchOp"));
    };
    for name in ["op", "path", "from"] {
        if let Some(value) = fields.get(name)
            && !value.is_string()
            && !value.is_null()
        {
            return Err(PatchError::malformed(format!(
                "error decoding patch: json: cannot unmarshal {} into Go struct field jsonPatchOp.{name} of type string",
                go_kind(value)
            )));
        }
    }
    Ok(())
}

fn apply_one(document: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), PatchError> {
    let mut operation: PatchOperation =
        serde::Deserialize::deserialize(operation).map_err(|e| PatchError::DoesNotFit(e.to_string()))?;
    for path in paths(&mut operation) {
        if path.as_str().contains("/-") {
            count_from_the_end(document, path);
        }
    }
    if let PatchOperation::Test(TestOperation {
        path,
        value: Value::Null,
    }) = &operation
        && document.pointer(path.as_str()).is_none()
    {
        return Ok(());
    }
    if let PatchOperation::Copy(copy) = &operation {
        *copied += document
            .pointer(copy.from.as_str())
            .map_or(0, |value| value.to_string().len());
        if *copied > MAX_COPIED_BYTES {
            return Err(PatchError::DoesNotFit(format!(
                "unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit {MAX_COPIED_BYTES}"
            )));
        }
    }
    json_patch::patch(document, std::slice::from_ref(&operation))
        .map_err(|e| PatchError::DoesNotFit(e.to_string()))
}

fn paths(operation: &mut PatchOperation) -> Vec<&mut PointerBuf> {
    match operation {
        PatchOperation::Add(op) => vec![&mut op.path],
        PatchOperation::Remove(op) => vec![&mut op.path],
        PatchOperation::Replace(op) => vec![&mut op.path],
        PatchOperation::Test(op) => vec![&mut op.path],
        PatchOperation::Move(op) => vec![&mut op.from, &mut op.path],
        PatchOperation::Copy(op) => vec![&mut op.from, &mut op.path],
    }
}

/// Replaces `-1` and the like by the index they mean in `document`.
fn count_from_the_end(document: &Value, path: &mut PointerBuf) {
    let mut at = Some(document);
    let mut out = String::with_capacity(path.as_str().len());
    for token in path.as_str().split('/').skip(1) {
        let mut token = token.to_owned();
        if let (Some(Value::Array(items)), Some(back)) =
            (at, token.strip_prefix('-').and_then(|n| n.parse::<usize>().ok()))
            && let Some(index) = items.len().checked_sub(back)
        {
            token = index.to_string();
        }
        at = at.and_then(|value| value.pointer(&format!("/{token}")));
        out.push('/');
        out.push_str(&token);
    }
    if let Ok(resolved) = PointerBuf::parse(out) {
        *path = resolved;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::Status;

    use super::*;

    fn check(mut document: Value, patch: Value, expect: Value) {
        json_patch(&mut document, &patch).unwrap();
        assert_eq!(document, expect);
    }

    fn refusal(patch: Value) -> Value {
        let error = json_patch(&mut json!({"data": {"a": "1"}, "list": [1]}), &patch).unwrap_err();
        serde_json::to_value(Status::from(error)).unwrap()
    }

    #[test]
    fn applies_all_operations_in_order() {
        check(
            json!({"data": {"a": "1"}, "list": [1, 2, 3]}),
            json!([
                {"op": "test", "path": "/data/a", "value": "1"},
                {"op": "add", "path": "/data/b~1c", "value": "2"},
                {"op": "replace", "path": "/data/a", "value": "3"},
                {"op": "move", "from": "/data/a", "path": "/data/d"},
                {"op": "copy", "from": "/data/d", "path": "/data/e"},
                {"op": "remove", "path": "/list/0"},
                {"op": "add", "path": "/list/-", "value": 9},
            ]),
            json!({"data": {"b/c": "2", "d": "3", "e": "3"}, "list": [2, 3, 9]}),
        );
    }

    #[test]
    fn negative_indices_count_from_the_end_and_null_equals_absent() {
        check(
            json!({"list": [1, {"x": 1}]}),
            json!([
                {"op": "replace", "path": "/list/-1/x", "value": 2},
                {"op": "remove", "path": "/list/-2"},
                {"op": "test", "path": "/nothing", "value": null},
            ]),
            json!({"list": [{"x": 2}]}),
        );
    }

    #[test]
    fn what_does_not_fit_is_answered_without_the_text_of_the_error() {
        let expect = json!({
            "apiVersion": "v1", "code": 422, "details": {}, "kind": "Status", "metadata": {},
            "message": "the server rejected our request due to an error in our request",
            "reason": "Invalid", "status": "Failure"
        });
        for patch in [
            json!([{"op": "test", "path": "/data/a", "value": "9"}]),
            json!([{"op": "remove", "path": "/data/zz"}]),
            json!([{"op": "replace", "path": "/data/zz", "value": 1}]),
            json!([{"op": "add", "path": "/x/y", "value": 1}]),
            json!([{"op": "add", "path": "/list/7", "value": 1}]),
            json!([{"op": "wave", "path": "/data"}]),
            json!([{"op": "add", "value": 1}]),
            json!([{}]),
        ] {
            assert_eq!(refusal(patch.clone()), expect, "{patch}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_list_of_operations() {
        assert_eq!(
            refusal(json!({}))["message"],
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        );
        assert_eq!(
            refusal(json!(["x"]))["message"],
            "error decoding patch: json: cannot unmarshal string into Go value of type handlers.jsonPatchOp"
        );
        assert_eq!(
            refusal(json!([{"op": 1, "path": "/a"}]))["message"],
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"
        );
    }

    #[test]
    fn refuses_more_operations_than_upstream_does() {
        let patch = Value::Array(vec![
            json!({"op": "test", "path": "/a", "value": null});
            MAX_OPERATIONS + 1
        ]);
        let answer = refusal(patch);
        assert_eq!(answer["code"], 413);
        assert_eq!(answer["reason"], "RequestEntityTooLarge");
        assert_eq!(
            answer["message"],
            "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }

    #[test]
    fn bounds_what_copies_add() {
        let mut document = json!({"a": ["x".repeat(1024)]});
        let patch = Value::Array(vec![json!({"op": "copy", "from": "/a", "path": "/a/-"}); 40]);
        assert!(matches!(
            json_patch(&mut document, &patch),
            Err(PatchError::DoesNotFit(_))
        ));
    }
}
