//! The fields of a custom resource that select.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::custom::rules::{Brackets, resolve};

const MOST: usize = 8;
const SCALARS: [&str; 3] = ["string", "boolean", "integer"];

/// Checks `selectableFields` against the schema that they are fields of.
pub(super) fn selectable_fields(errors: &mut Errors, path: &Path, fields: &[Value], schema: &Value) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let (path, text) = (path.index(at).child("jsonPath"), field.text("/jsonPath"));
        if !check::required(errors, &path, text) {
            continue;
        }
        let found = match resolve(text, schema, Brackets::Refused) {
            Ok((_, found)) => found,
            Err(why) => {
                errors.push(Error::invalid(&path, text, format!("is an invalid path: {why}")));
                continue;
            }
        };
        if text == ".metadata" || text.starts_with(".metadata.") {
            errors.push(Error::invalid(
                &path,
                text,
                "must not point to fields in metadata",
            ));
        }
        if !SCALARS.contains(&found.text("/type")) {
            errors.push(Error::invalid(&path, text, "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."));
        }
        if seen.contains(&text) {
            errors.push(Error::duplicate(&path, text));
        } else {
            seen.push(text);
        }
    }
    if seen.len() > MOST {
        errors.push(Error::too_many(path, seen.len(), MOST));
    }
}

/// Whether a path names a field below a schema, through maps, too.
pub(super) fn leads_somewhere(text: &str, schema: &Value) -> bool {
    resolve(text.trim(), schema, Brackets::Allowed).is_ok()
}
