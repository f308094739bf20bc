//! Defaults: each must be what its schema allows.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::structural::children;
use crate::check::{self, Errors};

/// Checks the defaults of a structural schema.
pub(super) fn check(errors: &mut Errors, path: &Path, schema: &Value) {
    node(errors, path, schema, true);
}

fn node(errors: &mut Errors, path: &Path, schema: &Value, is_root: bool) {
    let default = schema.field("default");
    if !default.is_null() {
        let is_object = is_root || schema.field("x-kubernetes-embedded-resource").as_bool() == Some(true);
        one(errors, &path.child("default"), schema, is_object);
    }
    for (below, _, child) in children(schema) {
        // Below additional properties no default is looked at.
        if below.as_str() != "additionalProperties" {
            node(errors, &path.child(below.as_str()), child, false);
        }
    }
}

fn one(errors: &mut Errors, path: &Path, schema: &Value, is_object: bool) {
    let default = schema.field("default");
    if has_unknown(schema, default, is_object) {
        errors.push(Error::invalid(
            path,
            default.clone(),
            "must not have unknown fields",
        ));
    }
    if is_object {
        let before = errors.len();
        for field in ["apiVersion", "kind"] {
            let text = default.field(field).as_str().unwrap_or_default();
            check::required(errors, &path.child(field), text);
        }
        if errors.len() > before {
            return;
        }
    }
    let found = warren_schema::value_schema(schema).validate(default, &Path::root());
    errors.extend(found.into_iter().map(|mut error| {
        error.path = match error.path.as_str() {
            "" => path.clone(),
            below => path.child(below),
        };
        error
    }));
}

/// Whether pruning would take something out.
fn has_unknown(schema: &Value, value: &Value, is_object: bool) -> bool {
    if schema.field("x-kubernetes-preserve-unknown-fields").as_bool() == Some(true) {
        return false;
    }
    let additional = schema.field("additionalProperties");
    match value {
        Value::Object(map) => map.iter().any(|(name, value)| {
            let property = schema.field("properties").field(name);
            if is_object && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                false
            } else if property.is_object() {
                has_unknown(property, value, false)
            } else if additional.is_object() {
                has_unknown(additional, value, false)
            } else {
                additional.as_bool() != Some(true)
            }
        }),
        Value::Array(items) => {
            let schema = schema.field("items");
            schema.is_object() && items.iter().any(|item| has_unknown(schema, item, false))
        }
        _ => false,
    }
}
