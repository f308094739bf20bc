//! JSON patch (RFC 6902), with the liberties of the library upstream uses: negative indices count from the
//! end, `replace` and `copy` make what is not there, a `test` for null is met by an absent field, and what
//! stands before a path's first slash is nothing.

use serde_json::{Map, Value};

use crate::PatchError;
use warren_apimachinery::value::go_kind;

/// The operations that one patch may have.
pub const MAX_OPERATIONS: usize = 10_000;

/// The bytes that the `copy` operations of one patch may add, as upstream limits them.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;

/// The fields of an operation, in the order in which upstream decodes them.
const FIELDS: [&str; 4] = ["op", "path", "from", "value"];

/// Applies a JSON patch to `document`, one operation after the other. After an error the document is changed
/// in part: the caller discards it.
///
/// # Errors
/// `Malformed` where the patch is not a list of operations, `TooManyOperations` above [`MAX_OPERATIONS`],
/// `DoesNotFit` where an operation fails.
pub fn json_patch(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations = match patch {
        Value::Array(operations) => operations.as_slice(),
        Value::Null => &[],
        other => return Err(undecodable(other, "jsonpatch.Patch")),
    };
    if let Some(other) = operations
        .iter()
        .find(|operation| !operation.is_object() && !operation.is_null())
    {
        return Err(undecodable(other, "jsonpatch.Operation"));
    }
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations {
            limit: MAX_OPERATIONS,
            found: operations.len(),
        });
    }
    let mut copied = 0;
    for operation in operations {
        let op = operation.get("op").map_or(Some("unknown"), Value::as_str);
        let operation = Operation {
            op: op.unwrap_or("unknown"),
            fields: operation,
        };
        operation
            .apply(document, &mut copied)
            .map_err(PatchError::DoesNotFit)?;
    }
    Ok(())
}

/// Checks the form of a JSON patch as upstream does when it looks at fields: answers the unknown ones, such as
/// `json patch unknown field "[0].foo"`.
///
/// # Errors
/// `Malformed` where the patch is not a list of operations, or where a text of an operation is none.
pub fn json_patch_form(patch: &Value) -> Result<Vec<String>, PatchError> {
    let decoding = |found: &Value, into: &str| {
        let PatchError::Malformed(why) = undecodable(found, into) else {
            return undecodable(found, into);
        };
        PatchError::Malformed(format!("error decoding patch: {why}"))
    };
    let operations = match patch {
        Value::Array(operations) => operations.as_slice(),
        Value::Null => &[],
        other => return Err(decoding(other, "[]handlers.jsonPatchOp")),
    };
    let mut unknown = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let fields = match operation {
            Value::Object(fields) => fields,
            Value::Null => continue,
            other => return Err(decoding(other, "handlers.jsonPatchOp")),
        };
        for (name, value) in fields {
            if !FIELDS.contains(&name.as_str()) {
                unknown.push(format!("json patch unknown field \"[{index}].{name}\""));
            } else if name != "value" && !value.is_string() && !value.is_null() {
                let kind = go_kind(value);
                return Err(PatchError::malformed(format!(
                    "error decoding patch: json: cannot unmarshal {kind} into Go struct field jsonPatchOp.{name} of type string"
                )));
            }
        }
    }
    Ok(unknown)
}

fn undecodable(found: &Value, into: &str) -> PatchError {
    PatchError::malformed(format!(
        "json: cannot unmarshal {} into Go value of type {into}",
        go_kind(found)
    ))
}

/// One operation, with what upstream's library says of it where it does not fit: clients that patch never read it,
/// authors of webhooks and policies do.
struct Operation<'a> {
    op: &'a str,
    fields: &'a Value,
}

impl<'a> Operation<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    fn path(&self) -> Result<&'a str, String> {
        let op = self.op;
        self.text("path").ok_or_else(|| match op {
            "add" | "remove" | "copy" => format!("{op} operation failed to decode path: {MISSING}"),
            _ => format!("{op} operation failed to decode path: operation missing path field: {MISSING}"),
        })
    }

    fn from(&self) -> Result<&'a str, String> {
        let op = self.op;
        let missing =
            || format!("{op} operation failed to decode from: operation, missing from field: {MISSING}");
        self.text("from").ok_or_else(missing)
    }

    /// The place that `path` leads to.
    fn at<'d>(&self, document: &'d mut Value, path: &str) -> Result<Place<'d>, String> {
        let op = self.op;
        parent(document, path).ok_or_else(|| match op {
            "add" | "remove" => {
                format!("{op} operation does not apply: doc is missing path: \"{path}\": {MISSING}")
            }
            "test" => format!("test operation does not apply: is missing path: {path}: {MISSING}"),
            "move" | "copy" => {
                format!("{op} operation does not apply: doc is missing destination path: {path}: {MISSING}")
            }
            _ => format!("{op} operation does not apply: doc is missing path: {path}: {MISSING}"),
        })
    }

    /// The place that `from` leads to.
    fn source<'d>(&self, document: &'d mut Value) -> Result<Place<'d>, String> {
        let (op, from) = (self.op, self.from()?);
        parent(document, from).ok_or_else(|| {
            format!("{op} operation does not apply: doc is missing from path: {from}: {MISSING}")
        })
    }

    fn apply(&self, document: &mut Value, copied: &mut usize) -> Result<(), String> {
        let value = self.fields.get("value");
        let given = || value.cloned().unwrap_or_default();
        match self.op {
            "add" => {
                let path = self.path()?;
                self.at(document, path)?.add(given()).map_err(within("add", path))
            }
            "remove" => {
                let path = self.path()?;
                let taken = self.at(document, path)?.take();
                taken.map(drop).map_err(within("remove", path))
            }
            "replace" => self.replace(document, given()),
            "move" => {
                let from = self.from()?;
                let key = from.rsplit('/').next().unwrap_or_default();
                let value = self.source(document)?.take().map_err(within("move", key))?;
                let path = self.path()?;
                self.at(document, path)?.add(value).map_err(within("move", path))
            }
            "copy" => self.copy(document, copied),
            "test" => {
                let path = self.path()?;
                let is_met = if path.is_empty() {
                    met(Some(document), value)
                } else {
                    let place = self.at(document, path)?;
                    met(place.get().map_err(within("test", path))?, value)
                };
                is_met
                    .then_some(())
                    .ok_or_else(|| format!("testing value {path} failed: test failed"))
            }
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    fn replace(&self, document: &mut Value, value: Value) -> Result<(), String> {
        let path = self.path()?;
        if path.is_empty() {
            if !value.is_object() && !value.is_array() {
                return Err("replace operation value must be object or array: %!w(<nil>)".to_owned());
            }
            *document = value;
            return Ok(());
        }
        let mut place = self.at(document, path)?;
        if place.get().is_err() {
            return Err(format!(
                "replace operation does not apply: doc is missing key: {path}: {MISSING}"
            ));
        }
        place.set(value).map_err(within("remove", path))
    }

    fn copy(&self, document: &mut Value, copied: &mut usize) -> Result<(), String> {
        let from = self.from()?;
        let found = self.source(document)?.get().map(Option::<&Value>::cloned);
        let value = found
            .map_err(|why| format!("error in copy for from: '{from}': {why}"))?
            .unwrap_or_default();
        let path = self.path()?;
        let place = self.at(document, path)?;
        *copied += value.to_string().len();
        if *copied > MAX_COPIED_BYTES {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit {MAX_COPIED_BYTES}"
            ));
        }
        place
            .add(value)
            .map_err(|why| format!("error while adding value during copy: {why}"))
    }
}

const MISSING: &str = "missing value";

fn within(what: &str, path: &str) -> impl FnOnce(String) -> String {
    move |why| format!("error in {what} for path: '{path}': {why}")
}

fn met(found: Option<&Value>, wanted: Option<&Value>) -> bool {
    match found {
        None | Some(Value::Null) => wanted.is_none_or(Value::is_null),
        found => found == wanted,
    }
}

/// A member of an object or list, there or not.
enum Place<'a> {
    Field(&'a mut Map<String, Value>, String),
    Element(&'a mut Vec<Value>, String),
}

/// The place that a path leads to, below what is there.
fn parent<'a>(document: &'a mut Value, path: &str) -> Option<Place<'a>> {
    let (_, path) = path.split_once('/')?;
    let (way, last) = path
        .rsplit_once('/')
        .map_or(("", path), |(way, last)| (way, last));
    let mut at = document;
    if path.contains('/') {
        for step in way.split('/') {
            at = match at {
                Value::Object(fields) => fields.get_mut(&unescaped(step))?,
                Value::Array(elements) => {
                    let index = index(step, elements.len()).ok()?;
                    elements.get_mut(index)?
                }
                _ => return None,
            };
        }
    }
    match at {
        Value::Object(fields) => Some(Place::Field(fields, unescaped(last))),
        Value::Array(elements) => Some(Place::Element(elements, unescaped(last))),
        _ => None,
    }
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// The index that a step means in a list of `length`, which may be right behind it: negative ones count from the end.
fn index(step: &str, length: usize) -> Result<usize, String> {
    let number: i64 = step
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing {step:?}: invalid syntax"))?;
    let back = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
    if number >= 0 {
        Ok(back)
    } else {
        length.checked_sub(back).ok_or_else(|| no_index(step))
    }
}

fn no_index(step: &str) -> String {
    format!("Unable to access invalid index: {step}: invalid index referenced")
}

impl Place<'_> {
    /// What is there. A missing field is nothing, a missing element an error.
    fn get(&self) -> Result<Option<&Value>, String> {
        match self {
            Self::Field(fields, name) => Ok(fields.get(name)),
            Self::Element(elements, step) => {
                let found = elements.get(index(step, elements.len())?);
                found.ok_or_else(|| no_index(step)).map(Some)
            }
        }
    }

    fn add(self, value: Value) -> Result<(), String> {
        match self {
            Self::Field(fields, name) => drop(fields.insert(name, value)),
            Self::Element(elements, step) if step == "-" => elements.push(value),
            Self::Element(elements, step) => {
                let improper = |why| format!("value was not a proper array index: '{step}': {why}");
                let index = match step.parse::<i64>() {
                    Ok(_) => index(&step, elements.len() + 1)?,
                    Err(_) => index(&step, 0).map_err(improper)?,
                };
                if index > elements.len() {
                    return Err(no_index(&step));
                }
                elements.insert(index, value);
            }
        }
        Ok(())
    }

    fn set(&mut self, value: Value) -> Result<(), String> {
        match self {
            Self::Field(fields, name) => drop(fields.insert(std::mem::take(name), value)),
            Self::Element(elements, step) => {
                let index = index(step, elements.len())?;
                *elements.get_mut(index).ok_or_else(|| no_index(step))? = value;
            }
        }
        Ok(())
    }

    fn take(self) -> Result<Value, String> {
        match self {
            Self::Field(fields, name) => fields
                .remove(&name)
                .ok_or_else(|| format!("Unable to remove nonexistent key: {name}: {MISSING}")),
            Self::Element(elements, step) => {
                let index = index(&step, elements.len())?;
                if index >= elements.len() {
                    return Err(no_index(&step));
                }
                Ok(elements.remove(index))
            }
        }
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
    fn makes_what_upstreams_library_makes() {
        check(
            json!({"data": {"a": "1"}}),
            json!([
                {"op": "replace", "path": "/data/b", "value": "2"},
                {"op": "copy", "from": "/data/zz", "path": "/data/c"},
                {"op": "add", "path": "/data/d"},
                {"op": "add", "path": "nothing/e", "value": 1},
            ]),
            json!({"data": {"a": "1", "b": "2", "c": null, "d": null}, "e": 1}),
        );
        check(
            json!({"a": 1}),
            json!([{"op": "replace", "path": "", "value": {"b": 2}}]),
            json!({"b": 2}),
        );
    }

    #[test]
    fn refuses_what_is_not_a_list_of_operations() {
        let form = |patch: Value| json_patch_form(&patch).unwrap_err().to_string();
        assert_eq!(
            form(json!({})),
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        );
        assert_eq!(
            form(json!(["x"])),
            "error decoding patch: json: cannot unmarshal string into Go value of type handlers.jsonPatchOp"
        );
        assert_eq!(
            form(json!([{"op": 1, "path": "/a"}])),
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"
        );
        assert_eq!(
            refusal(json!({}))["message"],
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        );
    }

    #[test]
    fn names_the_unknown_fields_of_operations() {
        let patch = json!([{"op": "add", "path": "/a", "value": 1}, {"OP": "add", "x": 1}]);
        assert_eq!(
            json_patch_form(&patch).unwrap(),
            [
                "json patch unknown field \"[1].OP\"",
                "json patch unknown field \"[1].x\""
            ]
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
