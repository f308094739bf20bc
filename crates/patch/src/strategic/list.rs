//! Lists of a strategic merge patch: merged by key or by value where the schema says so, replaced otherwise.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{DIRECTIVE, cleaned, maps, unknown_directive};
use crate::PatchError;
use crate::managed::{Shape, plain};

/// Merges a list of the patch into one of the object. New elements stand where the patch has them; elements
/// that only the object has keep their order and their place between the others as far as possible.
pub(super) fn merge(shape: &Shape<'_>, old: Vec<Value>, patch: &[Value]) -> Result<Vec<Value>, PatchError> {
    let Strategy::Merge { key } = Strategy::of(shape) else {
        return Ok(patch.to_vec());
    };
    if old.is_empty() && patch.is_empty() {
        return Ok(old);
    }
    match (elements(&old, patch)?, key) {
        (Elements::Scalars, _) => {
            let server_order = old.clone();
            Ok(arranged(
                union(old, patch),
                &identities(patch, ""),
                &identities(&server_order, ""),
                "",
            ))
        }
        (Elements::Maps, None) => Err(PatchError::Unclassified(
            "cannot merge lists without merge key for struct".to_owned(),
        )),
        (Elements::Maps, Some(key)) => by_key(shape, old, patch, key),
    }
}

/// Merges a list and puts it into the order that the patch gives with `$setElementOrder`.
pub(super) fn in_order(
    shape: &Shape<'_>,
    map: &mut Map<String, Value>,
    patch: Option<&Value>,
    (name, order): (&str, &Value),
) -> Result<(), PatchError> {
    let order = typed_list(Some(order))?.unwrap_or_default();
    let patch = typed_list(patch)?;
    let child = shape.child(name).shape;
    let key = match Strategy::of(&child) {
        Strategy::Merge { key } => key.unwrap_or_default().to_owned(),
        Strategy::Replace => String::new(),
    };
    check_order(patch.unwrap_or_default(), order, &key)?;
    typed_list(map.get(name))?;
    let old = match map.remove(name) {
        Some(Value::Array(old)) => Some(old),
        _ => None,
    };
    let server_order = server_order(
        old.as_deref().unwrap_or_default(),
        patch.unwrap_or_default(),
        &key,
    );
    let merged = match (old, patch) {
        (None, None) => return Ok(()),
        (Some(old), None) => old,
        (None, Some(patch)) => patch.iter().filter_map(cleaned).collect(),
        (Some(old), Some(patch)) => merge(&child, old, patch)?,
    };
    for item in merged.iter().chain(order) {
        check_key(item, &key)?;
    }
    let arranged = arranged(merged, &identities(order, &key), &server_order, &key);
    map.insert(name.to_owned(), Value::Array(arranged));
    Ok(())
}

/// The order of the server, as upstream sees it after the merge: it deletes in place, so that what the patch adds
/// stands in the slots that became free.
fn server_order(old: &[Value], patch: &[Value], key: &str) -> Vec<Value> {
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    let mut order = identities(old, key);
    let deletes = |item: &&Value| directive(item).as_deref() == Some("delete");
    let replaces = patch
        .iter()
        .any(|item| directive(item).as_deref() == Some("replace"));
    if key.is_empty() || replaces || !patch.iter().any(|item| deletes(&item)) {
        return order;
    }
    let deleted = identities(&patch.iter().filter(deletes).cloned().collect::<Vec<_>>(), key);
    order.retain(|identity| !deleted.contains(identity));
    for item in patch.iter().filter(|item| directive(item).is_none()) {
        let identity = identity(item, key);
        if !order.contains(identity) {
            order.push(identity.clone());
        }
    }
    order.truncate(old.len());
    order
}

/// What the schema says of a list.
enum Strategy<'s> {
    Replace,
    Merge { key: Option<&'s str> },
}

impl<'s> Strategy<'s> {
    fn of(shape: &'s Shape<'_>) -> Self {
        match shape {
            Shape::Known { schema, .. } if schema.patch.merge => Self::Merge {
                key: schema.patch.merge_key.as_deref(),
            },
            _ => Self::Replace,
        }
    }
}

enum Elements {
    Scalars,
    Maps,
}

/// The elements of both lists are of one kind, and not lists.
fn elements(old: &[Value], patch: &[Value]) -> Result<Elements, PatchError> {
    let mut all = old.iter().chain(patch);
    let first_is_map = match all.next() {
        Some(Value::Array(_)) => {
            return Err(PatchError::DoesNotFit("lists of lists are not supported".into()));
        }
        first => first.is_some_and(Value::is_object),
    };
    if all.any(|item| item.is_object() != first_is_map || item.is_array()) {
        let (old, patch) = (Value::Array(old.to_vec()), Value::Array(patch.to_vec()));
        return Err(PatchError::Unclassified(format!(
            "list element types are not identical: [{} {}]",
            plain(&old),
            plain(&patch)
        )));
    }
    Ok(if first_is_map {
        Elements::Maps
    } else {
        Elements::Scalars
    })
}

fn union(old: Vec<Value>, patch: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::with_capacity(old.len() + patch.len());
    for item in old.into_iter().chain(patch.iter().cloned()) {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

fn by_key(
    shape: &Shape<'_>,
    mut old: Vec<Value>,
    patch: &[Value],
    key: &str,
) -> Result<Vec<Value>, PatchError> {
    let items = shape.items();
    let mut is_replaced = false;
    let mut additions: Vec<&Map<String, Value>> = Vec::with_capacity(patch.len());
    for item in patch.iter().filter_map(Value::as_object) {
        match item
            .get(DIRECTIVE)
            .map(|directive| (directive.as_str(), directive))
        {
            None => additions.push(item),
            Some((Some("delete"), _)) => {
                let value = item.get(key).ok_or_else(|| no_key(item, key))?;
                old.retain(|other| other.get(key) != Some(value));
            }
            Some((Some("replace"), _)) => is_replaced = true,
            Some((Some("merge"), _)) => {
                return Err(PatchError::Unclassified(
                    "merging lists cannot yet be specified in the patch".into(),
                ));
            }
            Some((_, directive)) => return Err(unknown_directive(directive, item)),
        }
    }
    if is_replaced {
        return Ok(additions
            .into_iter()
            .filter_map(|item| cleaned(&Value::Object(item.clone())))
            .collect());
    }
    let server_order = identities(&old, key);
    let mut patch_order = Vec::with_capacity(additions.len());
    for item in additions {
        let value = item.get(key).ok_or_else(|| no_key(item, key))?;
        match old.iter_mut().find(|other| other.get(key) == Some(value)) {
            Some(Value::Object(other)) => maps(&items, other, item)?,
            _ => old.extend(cleaned(&Value::Object(item.clone()))),
        }
        patch_order.push(value.clone());
    }
    for item in &old {
        check_key(item, key)?;
    }
    Ok(arranged(old, &patch_order, &server_order, key))
}

/// Splits `merged` into what the patch orders and what only the server has, sorts each by its own order, and
/// weaves them: a server-only element comes before the first one that it preceded on the server.
fn arranged(merged: Vec<Value>, patch_order: &[Value], server_order: &[Value], key: &str) -> Vec<Value> {
    let position = |order: &[Value], item: &Value| {
        let identity = identity(item, key);
        order.iter().position(|other| other == identity)
    };
    let (mut patched, mut server_only): (Vec<_>, Vec<_>) = merged
        .into_iter()
        .partition(|item| position(patch_order, item).is_some());
    patched.sort_by_key(|item| position(patch_order, item));
    server_only.sort_by(
        |a, b| match (position(server_order, a), position(server_order, b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        },
    );
    let mut out = Vec::with_capacity(patched.len() + server_only.len());
    let mut left = server_only.into_iter().peekable();
    for item in patched {
        let at = position(server_order, &item);
        while let Some(other) = left.peek()
            && let (Some(other), Some(at)) = (position(server_order, other), at)
            && other < at
        {
            out.extend(left.next());
        }
        out.push(item);
    }
    out.extend(left);
    out
}

fn identities(list: &[Value], key: &str) -> Vec<Value> {
    list.iter().map(|item| identity(item, key).clone()).collect()
}

/// What tells an element apart: its merge key, or itself.
fn identity<'v>(item: &'v Value, key: &str) -> &'v Value {
    if key.is_empty() {
        item
    } else {
        item.get(key).unwrap_or(&Value::Null)
    }
}

/// Elements of the patch stand in the given order, and all of them are in it.
fn check_order(patch: &[Value], order: &[Value], key: &str) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut ordered = order.iter();
    for item in patch.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        let mut is_found = false;
        for other in ordered.by_ref() {
            check_key(item, key)?;
            check_key(other, key)?;
            is_found = identity(other, key) == identity(item, key);
            if is_found {
                break;
            }
        }
        if !is_found {
            return Err(PatchError::Unclassified(format!(
                "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                plain(&Value::Array(patch.to_vec())),
                plain(&Value::Array(order.to_vec()))
            )));
        }
    }
    Ok(())
}

fn check_key(item: &Value, key: &str) -> Result<(), PatchError> {
    match item {
        _ if key.is_empty() => Ok(()),
        Value::Object(map) if map.contains_key(key) => Ok(()),
        Value::Object(map) => Err(no_key(map, key)),
        other => Err(bad_type("map[string]interface {}", other)),
    }
}

fn no_key(item: &Map<String, Value>, key: &str) -> PatchError {
    PatchError::Unclassified(format!(
        "map: {} does not contain declared merge key: {key}",
        plain(&Value::Object(item.clone()))
    ))
}

fn typed_list(value: Option<&Value>) -> Result<Option<&[Value]>, PatchError> {
    match value {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(other) => Err(bad_type("[]interface {}", other)),
    }
}

fn bad_type(expected: &str, found: &Value) -> PatchError {
    PatchError::Unclassified(format!(
        "expected a {expected}, but received a {}",
        crate::managed::go_type(found)
    ))
}
