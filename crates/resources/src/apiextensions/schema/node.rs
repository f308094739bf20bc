//! What each schema of a tree may say, word by word.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::{lists, value_rules};
use crate::check::Errors;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const META: [&str; 3] = ["metadata", "kind", "apiVersion"];
const UNSUPPORTED: [&str; 6] = [
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "$ref",
];

/// Where in an object a schema stands.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    is_root: bool,
    in_metadata: bool,
    /// Why no default may be set.
    no_defaults: Option<&'a str>,
}

/// Checks a schema and all below it.
pub(super) fn check(errors: &mut Errors, path: &Path, schema: &Value) {
    let place = Place {
        is_root: true,
        ..Place::default()
    };
    node(errors, path, schema, place);
}

fn node(errors: &mut Errors, path: &Path, schema: &Value, place: Place<'_>) {
    if !schema.is_object() {
        return;
    }
    words(errors, path, schema, place);
    let below = Place {
        is_root: false,
        ..place
    };
    additional(errors, path, schema, below);
    properties(errors, path, schema, place);
    node(errors, &path.child("not"), schema.field("not"), below);
    for key in ["allOf", "oneOf", "anyOf"] {
        for (at, child) in schema.field(key).as_array().into_iter().flatten().enumerate() {
            node(errors, &path.child(key).index(at), child, below);
        }
    }
    node(errors, &path.child("items"), schema.field("items"), below);
    if schema.field("x-kubernetes-preserve-unknown-fields").as_bool() == Some(false) {
        errors.push(Error::invalid(
            &path.child("x-kubernetes-preserve-unknown-fields"),
            false,
            "must be true or undefined",
        ));
    }
    lists::check(errors, path, schema);
    value_rules::check(errors, path, schema);
}

fn words(errors: &mut Errors, path: &Path, schema: &Value, place: Place<'_>) {
    let kind = schema.text("/type");
    if !kind.is_empty() && !TYPES.contains(&kind) {
        errors.push(Error::not_supported(&path.child("type"), kind, &TYPES));
    }
    if let Some(why) = place.no_defaults.filter(|_| schema.get("default").is_some()) {
        errors.push(Error::forbidden(
            &path.child("default"),
            format!("must not be set {why}"),
        ));
    }
    for word in UNSUPPORTED {
        let is_said = match schema.field(word) {
            Value::Null => false,
            Value::Object(map) => !map.is_empty() || matches!(word, "dependencies" | "additionalItems"),
            Value::String(text) => !text.is_empty() || word == "$ref",
            _ => true,
        };
        if is_said {
            errors.push(Error::forbidden(
                &path.child(word),
                format!("{word} is not supported"),
            ));
        }
    }
    if kind == "null" {
        errors.push(Error::forbidden(
            &path.child("type"),
            "type cannot be set to null, use nullable as an alternative",
        ));
    }
    if schema
        .field("items")
        .as_array()
        .is_some_and(|items| !items.is_empty())
    {
        errors.push(Error::forbidden(
            &path.child("items"),
            "items must be a schema object and not an array",
        ));
    }
    let is = |word: &str| schema.field(word).as_bool() == Some(true);
    if place.in_metadata && is("x-kubernetes-embedded-resource") {
        errors.push(Error::forbidden(
            &path.child("x-kubernetes-embedded-resource"),
            "must not be used inside of resource meta",
        ));
    }
    if is("uniqueItems") {
        errors.push(Error::forbidden(
            &path.child("uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ));
    }
}

fn additional(errors: &mut Errors, path: &Path, schema: &Value, below: Place<'_>) {
    let (path, additional) = (
        path.child("additionalProperties"),
        schema.field("additionalProperties"),
    );
    let has_properties = schema
        .field("properties")
        .as_object()
        .is_some_and(|map| !map.is_empty());
    if has_properties && (additional.is_object() || additional.as_bool() == Some(false)) {
        errors.push(Error::forbidden(
            &path,
            "additionalProperties and properties are mutual exclusive",
        ));
    }
    let no_defaults = if below.in_metadata {
        Some("inside additionalProperties applying to object metadata")
    } else {
        below.no_defaults
    };
    node(errors, &path, additional, Place { no_defaults, ..below });
}

fn properties(errors: &mut Errors, path: &Path, schema: &Value, place: Place<'_>) {
    let is_embedded = schema.field("x-kubernetes-embedded-resource").as_bool() == Some(true);
    for (name, child) in schema.field("properties").as_object().into_iter().flatten() {
        let mut below = Place {
            is_root: false,
            ..place
        };
        let why = format!("in top-level {name}");
        if (place.is_root || is_embedded) && META.contains(&name.as_str()) {
            below.in_metadata = true;
            if place.is_root {
                below.no_defaults = Some(&why);
            }
        }
        node(errors, &path.child("properties").key(name), child, below);
    }
}
