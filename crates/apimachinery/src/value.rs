//! Reading and changing dynamic objects without panics.

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use crate::decode::{DecodeError, Decoded, decode_json, decode_yaml};

static NULL: Value = Value::Null;

/// What Go's decoder calls the kind of a JSON value.
pub fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Reads of a dynamic object that answer `null` or nothing where a field is absent or of another shape.
pub trait ValueExt {
    /// The value at a JSON pointer such as `/spec/replicas`; `null` when absent.
    fn at(&self, pointer: &str) -> &Value;

    /// The field `name` of an object; `null` when absent. For names that may hold `/` or `~`.
    fn field(&self, name: &str) -> &Value;

    /// The text at a JSON pointer; empty when absent or not text.
    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The elements at a JSON pointer; none when absent or not a list.
    fn items(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The whole number at a JSON pointer.
    fn int(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).as_i64()
    }

    /// Puts `value` at a JSON pointer, making objects on the way. Does nothing where the way leads through a
    /// list element that is not there or through a scalar.
    fn set(&mut self, pointer: &str, value: impl Into<Value>);

    /// Removes and returns the field at a JSON pointer.
    fn take_at(&mut self, pointer: &str) -> Option<Value>;

    /// The object at a JSON pointer, made if absent; `None` where another shape is in the way.
    fn object_at(&mut self, pointer: &str) -> Option<&mut Map<String, Value>>;
}

impl ValueExt for Value {
    fn at(&self, pointer: &str) -> &Value {
        walk(self, pointer).unwrap_or(&NULL)
    }

    fn field(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }

    fn set(&mut self, pointer: &str, value: impl Into<Value>) {
        let Some((parent, last)) = pointer.rsplit_once('/') else {
            return;
        };
        let last = unescape(last);
        if let Some(Value::Array(items)) = walk_mut(self, parent) {
            if let Some(slot) = last.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                *slot = value.into();
            }
        } else if let Some(map) = self.object_at(parent) {
            map.insert(last, value.into());
        }
    }

    fn take_at(&mut self, pointer: &str) -> Option<Value> {
        let (parent, last) = pointer.rsplit_once('/')?;
        walk_mut(self, parent)?.as_object_mut()?.remove(&unescape(last))
    }

    fn object_at(&mut self, pointer: &str) -> Option<&mut Map<String, Value>> {
        let mut at = self;
        for token in pointer.split('/').skip(1) {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            at = match at {
                Value::Object(map) => map.entry(unescape(token)).or_insert(Value::Null),
                Value::Array(items) => items.get_mut(token.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        at.as_object_mut()
    }
}

/// As `Value::pointer`, which makes two new texts for each step; nearly no step needs any.
fn walk<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(value);
    }
    let mut tokens = pointer.strip_prefix('/')?.split('/');
    tokens.try_fold(value, |at, token| match at {
        Value::Object(map) => map.get(&*unescaped(token)),
        Value::Array(items) => items.get(index(token)?),
        _ => None,
    })
}

fn index(token: &str) -> Option<usize> {
    let is_plain = !token.starts_with('+') && (token == "0" || !token.starts_with('0'));
    is_plain.then(|| token.parse().ok())?
}

fn walk_mut<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    if pointer.is_empty() {
        return Some(value);
    }
    let mut tokens = pointer.strip_prefix('/')?.split('/');
    tokens.try_fold(value, |at, token| match at {
        Value::Object(map) => map.get_mut(&*unescaped(token)),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

fn unescape(token: &str) -> String {
    unescaped(token).into_owned()
}

fn unescaped(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        return token.replace("~1", "/").replace("~0", "~").into();
    }
    token.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_and_takes_through_missing_objects_and_list_elements() {
        let mut value = json!({"a": [{"b": 1}]});
        value.set("/a/0/c/d", 2);
        value.set("/x/y~1z", "w");
        assert_eq!(value, json!({"a": [{"b": 1, "c": {"d": 2}}], "x": {"y/z": "w"}}));
        assert_eq!(value.take_at("/a/0/b"), Some(json!(1)));
        assert_eq!(value.text("/x/y~1z"), "w");
        assert!(value.at("/nothing/here").is_null());
    }

    #[test]
    fn reads_as_json_pointers_say() {
        let value = json!({"a": [10, {"b~c": {"": 1}}], "d/e": "f"});
        let pointers = [
            "",
            "/a/0",
            "/a/1/b~0c/",
            "/a/01",
            "/a/+1",
            "/a/2",
            "/d~1e",
            "a",
            "/a/0/x",
            "/",
            "/a/-",
        ];
        for pointer in pointers {
            assert_eq!(
                Some(value.at(pointer)).filter(|found| !found.is_null()),
                value.pointer(pointer),
                "{pointer}"
            );
        }
    }
}
