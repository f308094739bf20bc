//! What validations of many kinds have in common: checks of one value that report at a path, word for word as
//! upstream. Does not know any kind.

use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, name, selector};

/// What is wrong so far.
pub(crate) type Errors = Vec<Error>;

/// Upstream's words for a value below zero.
pub(crate) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// Upstream's words for a field that may not change.
pub(crate) const IMMUTABLE: &str = "field is immutable";

/// One `Invalid` for each of `messages`, as the checks of `apimachinery::name` and `address` return them.
pub(crate) fn text(
    errors: &mut Errors,
    path: &Path,
    value: &str,
    messages: impl IntoIterator<Item = String>,
) {
    errors.extend(
        messages
            .into_iter()
            .map(|message| Error::invalid(path, value, message)),
    );
}

/// A DNS-1123 label.
pub(crate) fn dns_label(errors: &mut Errors, path: &Path, value: &str) {
    text(errors, path, value, name::dns1123_label(value));
}

/// A DNS-1123 subdomain.
pub(crate) fn dns_subdomain(errors: &mut Errors, path: &Path, value: &str) {
    text(errors, path, value, name::dns1123_subdomain(value));
}

/// A qualified name, such as the key of a label.
pub(crate) fn qualified_name(errors: &mut Errors, path: &Path, value: &str) {
    text(errors, path, value, name::qualified_name(value));
}

/// An IP address.
pub(crate) fn ip(errors: &mut Errors, path: &Path, value: &str) {
    text(errors, path, value, address::ip(value));
}

/// A text that must be there; says whether it is.
pub(crate) fn required(errors: &mut Errors, path: &Path, value: &str) -> bool {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    }
    !value.is_empty()
}

/// One of `supported`, which stand in upstream's order.
pub(crate) fn one_of(errors: &mut Errors, path: &Path, value: &str, supported: &[&str]) {
    if !supported.contains(&value) {
        errors.push(Error::not_supported(path, value, supported));
    }
}

/// One of `supported`, and there.
pub(crate) fn required_one_of(errors: &mut Errors, path: &Path, value: &str, supported: &[&str]) {
    if required(errors, path, value) {
        one_of(errors, path, value, supported);
    }
}

/// One of `supported`, and given: an empty text is given, and wrong.
pub(crate) fn given_one_of(errors: &mut Errors, path: &Path, value: &Value, supported: &[&str]) {
    match value.as_str() {
        None => errors.push(Error::required(path, "")),
        Some(value) => one_of(errors, path, value, supported),
    }
}

/// A number that, when there, is not below zero.
pub(crate) fn not_negative(errors: &mut Errors, path: &Path, value: &Value) {
    if let Some(number) = value.as_i64().filter(|number| *number < 0) {
        errors.push(Error::invalid(path, number, NOT_NEGATIVE));
    }
}

/// A port from 1 to 65535.
pub(crate) fn port_number(errors: &mut Errors, path: &Path, port: i64) {
    for message in name::port_number(port) {
        errors.push(Error::invalid(path, port, message));
    }
}

/// A port's number or name.
pub(crate) fn port_number_or_name(errors: &mut Errors, path: &Path, port: &Value) {
    match port.as_str() {
        Some(port) => text(errors, path, port, name::port_name(port)),
        None => port_number(errors, path, port.as_i64().unwrap_or_default()),
    }
}

/// A `metav1.LabelSelector`; nothing is fine.
pub(crate) fn label_selector(errors: &mut Errors, path: &Path, value: &Value) {
    errors.extend(selector::validate(value, path));
}

/// A field that may not change.
pub(crate) fn immutable(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    if !same(new, old) {
        errors.push(Error::invalid(path, new.clone(), IMMUTABLE));
    }
}

/// What is wrong with an update where the field at this path may not change.
pub(crate) fn immutable_field(field: &str, new: &Value, old: &Value) -> Errors {
    let pointer = format!("/{}", field.replace('.', "/"));
    let mut errors = Errors::new();
    immutable(&mut errors, &Path::new(field), new.at(&pointer), old.at(&pointer));
    errors
}

/// Whether two values mean the same: as upstream's semantic equality, absent fields equal empty ones.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_objects(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b || (is_empty(a) && is_empty(b)),
    }
}

fn same_objects(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let covers = |a: &Map<String, Value>, b: &Map<String, Value>| {
        a.iter().all(|(key, value)| match b.get(key) {
            Some(other) => same(value, other),
            None => is_empty(value),
        })
    };
    covers(a, b)
        && b.iter()
            .all(|(key, value)| a.contains_key(key) || is_empty(value))
}

/// A domain and a path, such as the name of a controller.
pub(crate) fn domain_prefixed_path(errors: &mut Errors, path: &Path, value: &str) {
    errors.extend(warren_apimachinery::field::domain_prefixed_path(path, value));
}

/// What upstream's types hold when a field is absent.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_and_empty_fields_mean_the_same() {
        assert!(same(&json!({"a": 1, "b": false}), &json!({"a": 1})));
        assert!(same(&json!({"a": {"b": []}}), &json!({})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 2})));
        assert!(!same(&json!([1]), &json!([1, 2])));
    }
}
