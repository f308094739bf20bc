//! Strategic merge patch: a merge patch that knows by the schema which lists are merged and by which key, with
//! the directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…`.

mod list;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use warren_schema::Schema;

use crate::PatchError;
use crate::managed::{Shape, plain};
use warren_apimachinery::value::go_kind;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch to `document`, an object of `schema`. After an error the document is
/// changed in part: the caller discards it.
///
/// # Errors
/// `Malformed`, `DoesNotFit` or `Unclassified`, as upstream sorts them.
pub fn strategic_merge(schema: &Schema, document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let nothing = Map::new();
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Null => &nothing,
        _ => {
            return Err(PatchError::malformed(format!(
                "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                go_kind(patch)
            )));
        }
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    match document {
        Value::Object(map) => maps(&Shape::object(schema), map, patch),
        _ => Ok(()),
    }
}

fn maps(
    shape: &Shape<'_>,
    map: &mut Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<(), PatchError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        map.clear();
        match directive.as_str() {
            Some("replace") => {
                let rest = patch.iter().filter(|(name, _)| *name != DIRECTIVE);
                map.extend(rest.map(|(name, value)| (name.clone(), value.clone())));
            }
            Some("delete") => {}
            _ => return Err(unknown_directive(directive, patch)),
        }
        return Ok(());
    }
    if let Some(keys) = patch.get(RETAIN_KEYS) {
        retain_keys(map, patch, keys)?;
    }
    for (name, order) in patch {
        if let Some(field) = name.strip_prefix(SET_ORDER) {
            list::in_order(shape, map, patch.get(field), (field, order))?;
        }
    }
    for (name, value) in patch {
        if name == RETAIN_KEYS || name.starts_with(SET_ORDER) || ordered(patch, map, name) {
            continue;
        }
        match name.strip_prefix("$deleteFromPrimitiveList") {
            Some(rest) => delete_from(map, rest, value)?,
            None => field(shape, map, name, value)?,
        }
    }
    Ok(())
}

/// Whether the list `name` was merged already, together with its order.
fn ordered(patch: &Map<String, Value>, map: &Map<String, Value>, name: &str) -> bool {
    map.contains_key(name)
        && patch.get(name).is_some_and(Value::is_array)
        && patch.contains_key(&format!("{SET_ORDER}{name}"))
}

fn field(
    shape: &Shape<'_>,
    map: &mut Map<String, Value>,
    name: &str,
    patch: &Value,
) -> Result<(), PatchError> {
    match (map.get_mut(name), patch) {
        (_, Value::Null) => {
            map.remove(name);
        }
        (Some(Value::Object(old)), Value::Object(patch)) => maps(&shape.child(name).shape, old, patch)?,
        (Some(Value::Array(old)), Value::Array(patch)) => {
            let merged = list::merge(&shape.child(name).shape, std::mem::take(old), patch)?;
            map.insert(name.to_owned(), Value::Array(merged));
        }
        _ => match cleaned(patch) {
            Some(value) => {
                map.insert(name.to_owned(), value);
            }
            None => {
                map.remove(name);
            }
        },
    }
    Ok(())
}

/// A value of the patch as it goes into the object: without nulls, and without maps that are a directive. Other
/// directives stay, to be named as unknown fields: there is nothing that they could direct. `None` where the
/// value itself is a directive.
fn cleaned(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Some(
                kept.filter_map(|(name, value)| Some((name.clone(), cleaned(value)?)))
                    .collect(),
            )
        }
        Value::Array(list) => Some(list.iter().filter_map(cleaned).collect()),
        scalar => Some(scalar.clone()),
    }
}

fn is_directive(name: &str) -> bool {
    name == RETAIN_KEYS || name.starts_with(SET_ORDER) || name.starts_with(DELETE_FROM)
}

/// Removes the fields that `$retainKeys` does not name. It has to name every field that the patch sets.
fn retain_keys(
    map: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    keys: &Value,
) -> Result<(), PatchError> {
    let malformed = || PatchError::malformed("invalid patch format of retainKeys");
    let keys = keys.as_array().ok_or_else(malformed)?;
    let named = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    let is_set = |(name, value): (&String, &Value)| !value.is_null() && !is_directive(name) && !named(name);
    if patch.iter().any(is_set) {
        return Err(malformed());
    }
    map.retain(|name, _| named(name));
    Ok(())
}

/// Removes scalars from a list. `rest` is what follows the directive's name.
fn delete_from(map: &mut Map<String, Value>, rest: &str, values: &Value) -> Result<(), PatchError> {
    let Some(name) = rest.strip_prefix('/') else {
        return Err(PatchError::malformed("invalid patch format of primitive list"));
    };
    if values.is_null() {
        map.remove(name);
    } else if let (Some(Value::Array(list)), Value::Array(values)) = (map.get_mut(name), values) {
        list.retain(|item| !values.contains(item));
    }
    Ok(())
}

fn unknown_directive(directive: &Value, patch: &Map<String, Value>) -> PatchError {
    let patch = plain(&Value::Object(patch.clone()));
    PatchError::Unclassified(format!(
        "unknown patch type: {} in map: {patch}",
        plain(directive)
    ))
}
