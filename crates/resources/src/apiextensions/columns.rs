//! What a version shows and scales by: printer columns and subresources.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

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
/// The paths of a scale: whether they must be there, what they start with, and what is said otherwise.
const SCALE_PATHS: [(&str, bool, &[&str], &str); 3] = [
    (
        "specReplicasPath",
        true,
        &[".spec."],
        "should be a json path under .spec",
    ),
    (
        "statusReplicasPath",
        true,
        &[".status."],
        "should be a json path under .status",
    ),
    (
        "labelSelectorPath",
        false,
        &[".spec.", ".status."],
        "should be a json path under either .spec or .status",
    ),
];

/// Checks `additionalPrinterColumns`.
pub(super) fn columns(errors: &mut Errors, path: &Path, columns: &[Value]) {
    for (at, value) in columns.iter().enumerate() {
        column(errors, &path.index(at), value);
    }
}

fn column(errors: &mut Errors, path: &Path, column: &Value) {
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
        let why = must_be_one_of(COLUMN_FORMATS);
        errors.push(Error::invalid(&path.child("format"), format, why));
    }
    // Upstream's path is of an older version here.
    let (path, text) = (path.child("JSONPath"), column.text("/jsonPath"));
    if check::required(errors, &path, text) {
        simple_path(errors, &path, text);
    }
}

/// Checks `subresources`.
pub(super) fn subresources(errors: &mut Errors, path: &Path, subresources: &Value) {
    let scale = subresources.field("scale");
    if scale.is_null() {
        return;
    }
    for (field, is_required, prefixes, why) in SCALE_PATHS {
        let path = path.child("scale").child(field);
        let text = scale.field(field).as_str().unwrap_or_default();
        if text.is_empty() {
            if is_required {
                errors.push(Error::required(&path, ""));
            }
        } else if simple_path(errors, &path, text) && !prefixes.iter().any(|prefix| text.starts_with(prefix))
        {
            errors.push(Error::invalid(&path, text, why));
        }
    }
}

fn simple_path(errors: &mut Errors, path: &Path, text: &str) -> bool {
    let is_simple = text.starts_with('.');
    if !is_simple {
        errors.push(Error::invalid(
            path,
            text,
            "must be a simple json path starting with .",
        ));
    }
    is_simple
}
