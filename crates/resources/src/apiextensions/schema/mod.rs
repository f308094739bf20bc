//! Schemas of custom resources: what they may say, as upstream checks it.

mod defaults;
mod expressions;
mod lists;
mod node;
mod pattern;
mod structural;
mod structural_nested;
mod value_rules;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::Errors;
use crate::go_literal::go_literal;

/// What a schema may say at its root where the status is written apart, by Go's names.
const AT_ROOT: [(&str, &str); 22] = [
    ("Description", "description"),
    ("Type", "type"),
    ("Format", "format"),
    ("Title", "title"),
    ("Maximum", "maximum"),
    ("ExclusiveMaximum", "exclusiveMaximum"),
    ("Minimum", "minimum"),
    ("ExclusiveMinimum", "exclusiveMinimum"),
    ("MaxLength", "maxLength"),
    ("MinLength", "minLength"),
    ("Pattern", "pattern"),
    ("MaxItems", "maxItems"),
    ("MinItems", "minItems"),
    ("UniqueItems", "uniqueItems"),
    ("MultipleOf", "multipleOf"),
    ("Required", "required"),
    ("Items", "items"),
    ("Properties", "properties"),
    ("ExternalDocs", "externalDocs"),
    ("Example", "example"),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields"),
    ("XValidations", "x-kubernetes-validations"),
];

/// Checks `{openAPIV3Schema: …}`.
pub(super) fn validation(errors: &mut Errors, path: &Path, validation: &Value, has_status: bool) {
    let schema = validation.field("openAPIV3Schema");
    if schema.is_null() {
        return;
    }
    let before = errors.len();
    let path = path.child("openAPIV3Schema");
    if has_status {
        at_root(errors, &path, schema);
    }
    if schema.field("nullable").as_bool() == Some(true) {
        errors.push(Error::forbidden(
            &path.child("nullable"),
            "nullable cannot be true at the root",
        ));
    }
    let unsupported = structural::unsupported(schema);
    if unsupported.is_none() {
        let found = structural::check(&path, schema);
        if found.is_empty() {
            defaults::check(errors, &path, schema);
        }
        errors.extend(found);
    }
    let is_structural = unsupported.is_none() && errors.len() == before;
    node::check(errors, &path, schema);
    if is_structural {
        expressions::check(errors, &path, schema);
    }
    if errors.len() == before
        && let Some(why) = unsupported
    {
        errors.push(Error::invalid(&path, "", why));
    }
    // What was missed above must not be served: the compiler has the last word.
    if errors.len() == before
        && let Err(wrong) = warren_schema::from_json_schema_at(schema, &path)
    {
        errors.extend(wrong);
    }
}

fn at_root(errors: &mut Errors, path: &Path, schema: &Value) {
    let kind = schema.text("/type");
    if !kind.is_empty() && kind != "object" {
        errors.push(Error::invalid(
            &path.child("type"),
            kind,
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled",
        ));
        return;
    }
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    let is_allowed = |key: &str| AT_ROOT.iter().any(|(_, known)| *known == key);
    let extra = schema.as_object().is_some_and(|schema| {
        schema
            .iter()
            .any(|(key, value)| is_set(value) && !is_allowed(key))
    });
    if extra {
        let words: Vec<&str> = AT_ROOT.iter().map(|(go, _)| *go).collect();
        let why = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            words.join(" ")
        );
        let shown = go_literal("JSONSchemaProps", schema);
        errors.push(Error::invalid(path, schema.clone(), why).shown_as(shown));
    }
}
