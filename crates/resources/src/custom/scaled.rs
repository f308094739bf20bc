//! The fields that a custom resource is scaled by: whole numbers that are not negative, and a selector that is text.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

/// The paths of `subresources.scale`.
pub(super) struct Scaled {
    spec: String,
    status: String,
    selector: Option<String>,
}

impl Scaled {
    /// Of a version's `subresources.scale`, if it has one.
    pub(super) fn new(scale: &Value) -> Option<Self> {
        let text = |field: &str| scale.field(field).as_str().map(str::to_owned);
        scale.is_object().then(|| Self {
            spec: text("specReplicasPath").unwrap_or_default(),
            status: text("statusReplicasPath").unwrap_or_default(),
            selector: text("labelSelectorPath"),
        })
    }

    pub(super) fn spec(&self, object: &Value, errors: &mut Vec<Error>) {
        count(object, &self.spec, errors);
    }

    pub(super) fn status(&self, object: &Value, errors: &mut Vec<Error>) {
        count(object, &self.status, errors);
        if let Some(path) = &self.selector
            && let Err(why) = nested(object, path, "string", Value::is_string)
        {
            errors.push(Error::invalid(&Path::new(path), "", why));
        }
    }
}

fn count(object: &Value, path: &str, errors: &mut Vec<Error>) {
    let at = Path::new(path);
    match nested(object, path, "int64", Value::is_i64) {
        Err(why) => errors.push(Error::invalid(&at, 0, why)),
        Ok(found) => {
            let number = found.and_then(Value::as_i64).unwrap_or_default();
            if number < 0 {
                errors.push(Error::invalid(&at, number, "should be a non-negative integer"));
            } else if number > i64::from(i32::MAX) {
                let why = format!("should be less than or equal to {}", i32::MAX);
                errors.push(Error::invalid(&at, number, why));
            }
        }
    }
}

/// What stands at a path of plain fields; Go's words where it is something else than `expected`.
fn nested<'v>(
    object: &'v Value,
    path: &str,
    expected: &str,
    fits: impl FnOnce(&Value) -> bool,
) -> Result<Option<&'v Value>, String> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let wrong = |at: &str, value: &Value, expected: &str| {
        let (text, kind) = (in_go(value), go_type(value));
        Err(format!(
            ".{at} accessor error: {text} is of the type {kind}, expected {expected}"
        ))
    };
    let (mut found, mut end) = (object, 0);
    for name in path.split('.') {
        if found.is_null() {
            return Ok(None);
        }
        if !found.is_object() {
            let above = path.get(..end + name.len()).unwrap_or(path);
            return wrong(above, found, "map[string]interface{}");
        }
        end += name.len() + 1;
        match found.get(name) {
            Some(value) => found = value,
            None => return Ok(None),
        }
    }
    if fits(found) {
        Ok(Some(found))
    } else {
        wrong(path, found, expected)
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Go's `%v`.
pub(super) fn in_go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_go).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let fields: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", in_go(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}
