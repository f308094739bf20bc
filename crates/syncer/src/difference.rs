//! What has to be written so that one value becomes another: a JSON merge patch, or nothing.

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;

/// The merge patch that makes `wanted` of `there`; `None` when they are the same. Lists are replaced as a whole.
pub(crate) fn difference(there: &Value, wanted: &Value) -> Option<Value> {
    if there == wanted {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (there, wanted) else {
        return Some(wanted.clone());
    };
    let mut patch = Map::new();
    for (key, value) in new {
        if let Some(changed) = difference(there.field(key), value) {
            patch.insert(key.clone(), changed);
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_what_changes_and_what_goes() {
        let there = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]});
        assert_eq!(difference(&there, &there), None);
        assert_eq!(
            difference(&there, &json!({"a": 1, "b": {"c": 4}, "e": [1, 2], "f": {}})),
            Some(json!({"b": {"c": 4, "d": null}, "e": [1, 2], "f": {}})),
        );
    }
}
