//! The fields of a custom resource that select.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

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
        let found = match resolve(text, schema) {
            Ok(found) => found,
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

/// The schema at a path such as `.spec.a`.
fn resolve<'a>(text: &str, schema: &'a Value) -> Result<&'a Value, String> {
    const UNKNOWN: &str = "does not refer to a valid field";
    let Some(rest) = text.strip_prefix('.') else {
        let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        return Err(format!("expected [ or . but got: {word}"));
    };
    let mut at = schema;
    for step in rest.split('.') {
        let (name, index) = step
            .split_once('[')
            .map_or((step, None), |(name, index)| (name, Some(index)));
        at = at
            .field("properties")
            .get(name)
            .ok_or_else(|| UNKNOWN.to_owned())?;
        if index.is_some() {
            return Err("array notation is not allowed".to_owned());
        }
    }
    Ok(at)
}

/// Whether a path names a field below a schema, through lists and maps, too.
pub(super) fn leads_somewhere(text: &str, schema: &Value) -> bool {
    let mut at = schema;
    let text = text.trim();
    if !text.starts_with('.') && !text.starts_with('[') {
        return false;
    }
    for step in text.split(['.', '[']).filter(|step| !step.is_empty()) {
        let name = step.trim_end_matches(']').trim_matches(['\'', '"']);
        let property = at.field("properties").field(name);
        let additional = at.field("additionalProperties");
        at = if property.is_object() {
            property
        } else if additional.is_object() {
            additional
        } else {
            return false;
        };
    }
    true
}
