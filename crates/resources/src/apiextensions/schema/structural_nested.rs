//! Schemas below `allOf`, `anyOf`, `oneOf` and `not`: they restrict values, and only of fields that are specified.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::pattern;
use crate::check::Errors;

const COMBINATIONS: [&str; 3] = ["anyOf", "allOf", "oneOf"];
/// What may not be said, and what upstream says of it.
const FORBIDDEN: [(&str, &str); 12] = [
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (
        "x-kubernetes-preserve-unknown-fields",
        "must be false to be structural",
    ),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
];

/// Checks the schemas that are combined, but for those that `skips` names by keyword and place.
pub(super) fn combinations(
    errors: &mut Errors,
    path: &Path,
    schema: &Value,
    skips: impl Fn(&str, usize) -> bool,
) {
    for key in COMBINATIONS {
        let all = schema.field(key).as_array().into_iter().flatten();
        for (at, value) in all.enumerate().filter(|(at, _)| !skips(key, *at)) {
            nested(errors, &path.child(key).index(at), value);
        }
    }
}

/// Checks a schema that only restricts values.
pub(super) fn nested(errors: &mut Errors, path: &Path, schema: &Value) {
    combinations(errors, path, schema, |_, _| false);
    if schema.field("not").is_object() {
        nested(errors, &path.child("not"), schema.field("not"));
    }
    if let Some(text) = schema.field("pattern").as_str()
        && let Some(fault) = pattern::fault(text)
    {
        let why = format!("must be a valid regular expression, but isn't: {fault}");
        errors.push(Error::invalid(&path.child("pattern"), text, why));
    }
    if schema.field("items").is_object() {
        nested(errors, &path.child("items"), schema.field("items"));
    }
    for (name, child) in schema.field("properties").as_object().into_iter().flatten() {
        nested(errors, &path.child("properties").key(name), child);
    }
    for (key, why) in FORBIDDEN {
        let is_said = match schema.field(key) {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        };
        if is_said {
            errors.push(Error::forbidden(&path.child(key), why));
        }
    }
    if !schema.items("/x-kubernetes-validations").is_empty() {
        errors.push(Error::forbidden(
            &path.child("x-kubernetes-validations"),
            "must be empty to be structural",
        ));
    }
    if !schema.field("properties").field("metadata").is_null() {
        errors.push(Error::forbidden(
            &path.child("properties").key("metadata"),
            "must not be specified in a nested context",
        ));
    }
}

/// Whatever a combined schema restricts must be specified; `path` is of `schema`, `at` of `restriction`.
pub(super) fn complete(errors: &mut Errors, path: &Path, at: &Path, schema: &Value, restriction: &Value) {
    let negated = restriction.field("not");
    if negated.is_object() {
        restricted(errors, path, &at.child("not"), schema, negated);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, value) in restriction
            .field(key)
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            restricted(errors, path, &at.child(key).index(index), schema, value);
        }
    }
}

fn restricted(errors: &mut Errors, path: &Path, at: &Path, schema: &Value, restriction: &Value) {
    complete(errors, path, at, schema, restriction);
    let properties = restriction.field("properties").as_object().into_iter().flatten();
    let properties = properties.map(|(name, child)| {
        let place = Path::new("properties").key(name);
        (place, schema.field("properties").field(name), child)
    });
    let items = (
        Path::new("items"),
        schema.field("items"),
        restriction.field("items"),
    );
    for (place, schema, restriction) in std::iter::once(items).chain(properties) {
        let (path, at) = (path.child(place.as_str()), at.child(place.as_str()));
        if schema.is_null() && !restriction.is_null() {
            errors.push(Error::required(&path, format!("because it is defined in {at}")));
        } else if !restriction.is_null() {
            restricted(errors, &path, &at, schema, restriction);
        }
    }
}
