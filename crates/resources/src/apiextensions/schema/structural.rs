//! Whether a schema is structural: every field says once what it is, and what combines schemas only restricts values.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::structural_nested::{complete, nested};
use super::{pattern, structural_nested};
use crate::check::Errors;

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Root,
    Item,
    Field,
}

/// The words that keep a schema from being read as structural at all, if any.
pub(super) fn unsupported(schema: &Value) -> Option<String> {
    const WORDS: [(&str, &str); 7] = [
        ("id", "id"),
        ("$schema", "schema"),
        ("$ref", "$ref"),
        ("patternProperties", "patternProperties"),
        ("dependencies", "dependencies"),
        ("additionalItems", "additionalItems"),
        ("definitions", "definitions"),
    ];
    if schema.field("items").is_array() {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    if schema.field("x-kubernetes-preserve-unknown-fields").as_bool() == Some(false) {
        return Some(
            "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined".to_owned(),
        );
    }
    let is_said = |key: &str| match schema.field(key) {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(map) => !map.is_empty() || key == "additionalItems",
        _ => true,
    };
    if let Some((_, word)) = WORDS.iter().find(|(key, _)| is_said(key)) {
        return Some(format!("OpenAPIV3Schema '{word}' is not supported"));
    }
    children(schema).find_map(|(_, _, child)| unsupported(child))
}

/// The structural children of a schema: where they stand, as what, and themselves.
pub(super) fn children(schema: &Value) -> impl Iterator<Item = (Path, Level, &Value)> {
    let properties = schema.field("properties").as_object().into_iter().flatten();
    let properties = properties.map(|(name, child)| (Path::new("properties").key(name), Level::Field, child));
    let named = [("items", Level::Item), ("additionalProperties", Level::Field)];
    let named = named
        .into_iter()
        .map(|(key, level)| (Path::new(key), level, schema.field(key)));
    named.filter(|(_, _, child)| child.is_object()).chain(properties)
}

/// What is not structural, sorted as upstream sorts it.
pub(super) fn check(path: &Path, schema: &Value) -> Errors {
    let mut errors = Errors::new();
    invariants(&mut errors, path, schema, Level::Root);
    complete(&mut errors, path, path, schema, schema);
    errors.sort_by_key(ToString::to_string);
    errors
}

fn is(schema: &Value, extension: &str) -> bool {
    schema.field(extension).as_bool() == Some(true)
}

fn invariants(errors: &mut Errors, path: &Path, schema: &Value, level: Level) {
    let kind = schema.text("/type");
    if kind == "array" && schema.field("items").is_null() {
        errors.push(Error::required(&path.child("items"), "must be specified"));
    }
    for (below, level, child) in children(schema) {
        invariants(errors, &path.child(below.as_str()), child, level);
    }
    let additional = schema.field("additionalProperties");
    if level == Level::Root && !additional.is_null() {
        errors.push(Error::forbidden(
            &path.child("additionalProperties"),
            "must not be used at the root",
        ));
    }
    extensions(errors, path, schema);
    combined(errors, path, schema);
    type_of(errors, path, schema, level);
    let is_embedded = is(schema, EMBEDDED);
    if is_embedded && !additional.is_null() {
        errors.push(Error::forbidden(
            &path.child("additionalProperties"),
            "must not be used if x-kubernetes-embedded-resource is set",
        ));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(Error::invalid(
            &path.child("type"),
            kind,
            "must be object at the root",
        ));
    }
    meta(errors, path, schema, level);
    let is_empty = schema
        .field("properties")
        .as_object()
        .is_none_or(serde_json::Map::is_empty);
    if is_embedded && !is(schema, PRESERVE) && is_empty {
        errors.push(Error::required(&path.child("properties"), "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"));
    }
}

const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

fn extensions(errors: &mut Errors, path: &Path, schema: &Value) {
    for extension in [PRESERVE, EMBEDDED] {
        if is(schema, INT_OR_STRING) && is(schema, extension) {
            errors.push(Error::invalid(
                &path.child(extension),
                true,
                "must be false if x-kubernetes-int-or-string is true",
            ));
        }
    }
}

/// What combines schemas, and the pattern.
fn combined(errors: &mut Errors, path: &Path, schema: &Value) {
    let skips_any_of = is_int_or_string(schema.field("anyOf"));
    let first = schema.items("/allOf").first();
    let skips_first = first.is_some_and(|first| is_int_or_string(first.field("anyOf")));
    structural_nested::combinations(errors, path, schema, |key, at| match key {
        "anyOf" => skips_any_of,
        // Upstream passes over the alternatives of the first only, which say nothing else in this pattern.
        "allOf" => skips_first && at == 0,
        _ => false,
    });
    if let Some(text) = schema.field("pattern").as_str()
        && let Some(fault) = pattern::fault(text)
    {
        let why = format!("must be a valid regular expression, but isn't: {fault}");
        errors.push(Error::invalid(&path.child("pattern"), text, why));
    }
    let negated = schema.field("not");
    if negated.is_object() {
        nested(errors, &path.child("not"), negated);
    }
}

/// `anyOf: [{type: integer}, {type: string}]`, nothing more.
fn is_int_or_string(alternatives: &Value) -> bool {
    let items = alternatives.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_only = |item: &Value, kind: &str| {
        item.text("/type") == kind && item.as_object().is_some_and(|item| item.len() == 1)
    };
    matches!(items, [first, second] if is_only(first, "integer") && is_only(second, "string"))
}

fn type_of(errors: &mut Errors, path: &Path, schema: &Value, level: Level) {
    let (path, kind) = (path.child("type"), schema.text("/type"));
    if is(schema, EMBEDDED) && kind != "object" {
        const WHY: &str = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            Error::required(&path, WHY)
        } else {
            Error::invalid(&path, kind, WHY)
        });
    } else if kind.is_empty() && !is(schema, INT_OR_STRING) && !is(schema, PRESERVE) {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(Error::required(&path, why));
    }
}

/// What is said of the fields that every object has.
fn meta(errors: &mut Errors, path: &Path, schema: &Value, level: Level) {
    let checks = level == Level::Root || is(schema, EMBEDDED);
    let properties = schema.field("properties");
    let mut must_be = |field: &str, kind: &str| {
        let property = properties.field(field);
        if checks && !property.is_null() && property.text("/type") != kind {
            errors.push(Error::invalid(
                &path.child("properties").key(field).child("type"),
                property.text("/type"),
                format!("must be {kind}"),
            ));
        }
    };
    must_be("kind", "string");
    must_be("apiVersion", "string");
    must_be("metadata", "object");
    let metadata = properties.field("metadata");
    if level == Level::Root && !metadata.is_null() && !restricts_only_names(metadata) {
        errors.push(Error::forbidden(
            &path.child("properties").key("metadata"),
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        ));
    }
}

fn restricts_only_names(metadata: &Value) -> bool {
    let is_name = |key: &String| matches!(key.as_str(), "name" | "generateName");
    metadata
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| match key.as_str() {
            "type" | "default" => true,
            "properties" => value.as_object().is_some_and(|map| map.keys().all(is_name)),
            _ => false,
        })
}
