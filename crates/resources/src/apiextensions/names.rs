//! The names that a definition claims.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

const MIXED_CASE: &str = "may have mixed case, but should otherwise match: ";

/// One error for all that is wrong with a text, as upstream reports names.
pub(super) fn joined(errors: &mut Errors, path: &Path, value: &str, prefix: &str, messages: &[String]) {
    if !messages.is_empty() {
        let detail = format!("{prefix}{}", messages.join(","));
        errors.push(Error::invalid(path, value, detail));
    }
}

/// What must be in `spec.names`, though not in the names that were accepted.
pub(super) fn required(errors: &mut Errors, path: &Path, value: &Value) {
    for field in ["plural", "singular", "kind", "listKind"] {
        let text = value.field(field).as_str().unwrap_or_default();
        check::required(errors, &path.child(field), text);
    }
}

/// Checks names that are there.
pub(super) fn names(errors: &mut Errors, path: &Path, value: &Value) {
    for field in ["plural", "singular"] {
        let text = value.field(field).as_str().unwrap_or_default();
        if !text.is_empty() {
            joined(errors, &path.child(field), text, "", &names::dns1035_label(text));
        }
    }
    for field in ["kind", "listKind"] {
        let text = value.field(field).as_str().unwrap_or_default();
        let lowered = text.to_lowercase();
        if !text.is_empty() {
            joined(
                errors,
                &path.child(field),
                text,
                MIXED_CASE,
                &names::dns1035_label(&lowered),
            );
        }
    }
    list(errors, &path.child("shortNames"), value.items("/shortNames"));
    let (kind, list_kind) = (value.text("/kind"), value.text("/listKind"));
    if !kind.is_empty() && kind == list_kind {
        errors.push(Error::invalid(
            &path.child("listKind"),
            list_kind,
            "kind and listKind may not be the same",
        ));
    }
    list(errors, &path.child("categories"), value.items("/categories"));
}

fn list(errors: &mut Errors, path: &Path, items: &[Value]) {
    for (at, item) in items.iter().enumerate() {
        let item = item.as_str().unwrap_or_default();
        joined(errors, &path.index(at), item, "", &names::dns1035_label(item));
    }
}
