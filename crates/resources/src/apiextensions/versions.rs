//! The versions of a definition: names, schemas, columns, subresources.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;

use super::names::joined;
use crate::check::{self, Errors};
use crate::custom::json_path::JsonPath;

const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: &[&str] = &[
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];

/// Checks `spec.versions`.
pub(super) fn versions(errors: &mut Errors, path: &Path, versions: &[Value]) {
    for (at, version) in versions.iter().enumerate() {
        let own_name = version.text("/name");
        joined(
            errors,
            &path.index(at).child("name"),
            own_name,
            "",
            &names::dns1035_label(own_name),
        );
    }
    let mut refuse = |why: &str| errors.push(Error::invalid(path, versions.to_vec(), why));
    let unique: HashSet<&str> = versions.iter().map(|version| version.text("/name")).collect();
    if unique.len() != versions.len() {
        refuse("must contain unique version names");
    }
    let is_stored = |version: &&Value| version.field("storage").as_bool() == Some(true);
    if versions.iter().filter(is_stored).count() != 1 {
        refuse("must have exactly one version marked as storage version");
    }
    for (at, version) in versions.iter().enumerate() {
        one(errors, &path.index(at), version);
    }
}

fn one(errors: &mut Errors, path: &Path, version: &Value) {
    let (schema_path, schema) = (
        path.child("schema.openAPIV3Schema"),
        version.at("/schema/openAPIV3Schema"),
    );
    let is_served = version.field("served").as_bool() == Some(true);
    if !schema.is_null() {
        if let Err(wrong) = warren_schema::from_json_schema_at(schema, &schema_path) {
            errors.extend(wrong);
        }
    } else if is_served {
        errors.push(Error::required(&schema_path, "schemas are required"));
    }
    for (at, column) in version.items("/additionalPrinterColumns").iter().enumerate() {
        printer_column(errors, &path.child("additionalPrinterColumns").index(at), column);
    }
    for (at, field) in version.items("/selectableFields").iter().enumerate() {
        let path = path.child("selectableFields").index(at).child("jsonPath");
        json_path(errors, &path, field.text("/jsonPath"));
    }
    let scale = version.at("/subresources/scale");
    if !scale.is_null() {
        scale_paths(errors, &path.child("subresources.scale"), scale);
    }
}

fn json_path(errors: &mut Errors, path: &Path, text: &str) {
    if check::required(errors, path, text)
        && let Err(why) = JsonPath::parse(text)
    {
        errors.push(Error::invalid(path, text, why));
    }
}

fn printer_column(errors: &mut Errors, path: &Path, column: &Value) {
    let must_be_one_of = |words: &[&str]| format!("must be one of {}", words.join(","));
    check::required(errors, &path.child("name"), column.text("/name"));
    let (kind_path, kind) = (path.child("type"), column.text("/type"));
    if kind.is_empty() {
        errors.push(Error::required(&kind_path, must_be_one_of(COLUMN_TYPES)));
    } else if !COLUMN_TYPES.contains(&kind) {
        errors.push(Error::invalid(&kind_path, kind, must_be_one_of(COLUMN_TYPES)));
    }
    let format = column.text("/format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        errors.push(Error::invalid(
            &path.child("format"),
            format,
            must_be_one_of(COLUMN_FORMATS),
        ));
    }
    json_path(errors, &path.child("jsonPath"), column.text("/jsonPath"));
}

fn scale_paths(errors: &mut Errors, path: &Path, scale: &Value) {
    const PATHS: [(&str, &[&str], &str); 3] = [
        (
            "specReplicasPath",
            &[".spec."],
            "should be a json path under .spec",
        ),
        (
            "statusReplicasPath",
            &[".status."],
            "should be a json path under .status",
        ),
        (
            "labelSelectorPath",
            &[".spec.", ".status."],
            "should be a json path under either .status or .spec",
        ),
    ];
    for (field, prefixes, why) in PATHS {
        let (path, text) = (path.child(field), scale.field(field).as_str().unwrap_or_default());
        if text.is_empty() {
            if field != "labelSelectorPath" {
                errors.push(Error::required(&path, ""));
            }
            continue;
        }
        if let Err(why) = JsonPath::parse(text) {
            errors.push(Error::invalid(&path, text, why));
        } else if !prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            errors.push(Error::invalid(&path, text, why));
        }
    }
}
