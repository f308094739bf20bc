//! Formats that nobody checks: users are told of them.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_schema::is_checked_format;

/// The formats in the schemas of a definition that nobody checks.
pub(super) fn unknown(object: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for version in object.items("/spec/versions") {
        collect(&mut found, version.at("/schema/openAPIV3Schema"));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn collect<'a>(found: &mut Vec<&'a str>, schema: &'a Value) {
    let format = schema.text("/format");
    let kind = match schema.field("x-kubernetes-int-or-string").as_bool() {
        Some(true) => "",
        _ => schema.text("/type"),
    };
    if !format.is_empty() && !is_checked_format(kind, format) {
        found.push(format);
    }
    for key in ["items", "additionalProperties", "not"] {
        if schema.field(key).is_object() {
            collect(found, schema.field(key));
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for child in schema.field(key).as_array().into_iter().flatten() {
            collect(found, child);
        }
    }
    for child in schema
        .field("properties")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, child)| child)
    {
        collect(found, child);
    }
}
