//! Merging a configuration into an object, and taking fields out of one.

use serde_json::{Map, Value};

use super::compare::ListError;
use super::element::PathElement;
use super::set::FieldSet;
use super::shape::{Child, Form, Known, Shape, elements, fields};

/// Merges `theirs` into `mine`: leaves are theirs, maps and keyed lists are united. The order of a list is
/// mine with theirs woven in; where they disagree, theirs.
pub(crate) fn merge(shape: &Shape<'_>, mine: &mut Value, theirs: &Value) -> Result<(), ListError> {
    match shape.form(theirs) {
        Form::Leaf => mine.clone_from(theirs),
        Form::Map => {
            let additions = match (
                mine.as_object().is_some_and(|map| !map.is_empty()),
                fields(Some(theirs)),
            ) {
                (true, None) => return Ok(()),
                (_, Some(additions)) => additions,
                (false, None) => {
                    mine.clone_from(theirs);
                    return Ok(());
                }
            };
            if !mine.is_object() {
                *mine = Value::Object(Map::new());
            }
            let Value::Object(map) = mine else { return Ok(()) };
            for (name, value) in additions {
                match map.get_mut(name) {
                    Some(old) => merge(&shape.child(name).shape, old, value)?,
                    None => {
                        map.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        form @ (Form::Set | Form::Keyed(_)) => match (elements(Some(mine)), elements(Some(theirs))) {
            ([], _) => mine.clone_from(theirs),
            (_, []) => {}
            (_, theirs) => {
                if let Value::Array(list) = mine {
                    *list = lists(shape, form, std::mem::take(list), theirs)?;
                }
            }
        },
    }
    Ok(())
}

/// One side of a merge of lists.
struct Side<T> {
    elements: Vec<PathElement>,
    /// Each taken when it is put into the result.
    values: Vec<Option<T>>,
}

impl<T> Side<T> {
    fn position(&self, element: &PathElement) -> Option<usize> {
        self.elements.iter().position(|other| other == element)
    }

    fn is_double(&self, element: &PathElement) -> bool {
        self.elements.iter().filter(|other| *other == element).count() > 1
    }

    fn take(&mut self, at: usize) -> Option<T> {
        self.values.get_mut(at).and_then(Option::take)
    }
}

fn side<T: std::borrow::Borrow<Value>>(
    items: &Shape<'_>,
    form: Form<'_>,
    list: impl IntoIterator<Item = T>,
) -> Result<Side<T>, ListError> {
    let mut side = Side {
        elements: Vec::new(),
        values: Vec::new(),
    };
    for (index, value) in list.into_iter().enumerate() {
        let element = Shape::element(items, form, value.borrow())
            .map_err(|message| ListError(format!("element {index}: {message}")))?;
        side.elements.push(element);
        side.values.push(Some(value));
    }
    Ok(side)
}

fn lists(
    shape: &Shape<'_>,
    form: Form<'_>,
    mine: Vec<Value>,
    theirs: &[Value],
) -> Result<Vec<Value>, ListError> {
    let items = shape.items();
    let mut mine = side(&items, form, mine)?;
    let mut theirs = side(&items, form, theirs)?;
    // Elements of both lists in their order: mine wait until it is their turn.
    let mut shared = theirs
        .elements
        .iter()
        .filter(|e| mine.position(e).is_some())
        .cloned()
        .collect::<Vec<_>>();
    shared.reverse();
    let mut next = shared.pop();
    let mut done: Vec<PathElement> = Vec::new();
    let mut out = Vec::with_capacity(mine.elements.len().max(theirs.elements.len()));
    let (mut left, mut right) = (0, 0);
    while left < mine.elements.len() || right < theirs.elements.len() {
        if let Some(element) = mine.elements.get(left) {
            if let Some(other) = theirs.elements.get(right) {
                if element == other {
                    done.push(other.clone());
                    out.extend(joined(&items, &mut mine, &mut theirs, right)?);
                    left += 1;
                    right += 1;
                    next = shared.pop();
                    continue;
                }
                let waits = next.as_ref().is_some_and(|next| next != element);
                if waits && theirs.position(element).is_some() {
                    left += 1;
                    continue;
                }
            }
            if theirs.position(element).is_none() {
                out.extend(mine.take(left));
                left += 1;
                continue;
            }
            if done.contains(element) {
                left += 1;
            }
        }
        if let Some(element) = theirs.elements.get(right) {
            let element = element.clone();
            done.push(element.clone());
            out.extend(joined(&items, &mut mine, &mut theirs, right)?);
            right += 1;
            if next.as_ref() == Some(&element) {
                next = shared.pop();
            }
        }
    }
    Ok(out)
}

/// Their element at `at`, merged into mine of the same key. Where mine has it twice, theirs alone.
fn joined(
    items: &Shape<'_>,
    mine: &mut Side<Value>,
    theirs: &mut Side<&Value>,
    at: usize,
) -> Result<Option<Value>, ListError> {
    let (Some(element), Some(value)) = (theirs.elements.get(at), theirs.values.get(at).copied().flatten())
    else {
        return Ok(None);
    };
    let old = mine
        .position(element)
        .filter(|_| !mine.is_double(element))
        .and_then(|at| mine.take(at));
    match old {
        None => Ok(Some(value.clone())),
        Some(mut old) => {
            merge(items, &mut old, value)?;
            Ok(Some(old))
        }
    }
}

/// Takes the fields in `set` out of `value`. What becomes empty by it becomes null: see [`drop_nulls`].
pub(crate) fn remove(shape: &Shape<'_>, value: &mut Value, set: &FieldSet) {
    if set.is_empty() {
        return;
    }
    let form = shape.form(value);
    match (form, &mut *value) {
        (Form::Map, Value::Object(map)) => {
            for (element, member, below) in set.iter() {
                let PathElement::Field(name) = element else {
                    continue;
                };
                if member {
                    map.remove(name.as_str());
                } else if let Some(value) = map.get_mut(name.as_str()) {
                    remove(&shape.child(name).shape, value, below);
                }
            }
            if map.is_empty() {
                *value = Value::Null;
            }
        }
        (Form::Set | Form::Keyed(_), Value::Array(list)) => {
            let items = shape.items();
            list.retain_mut(|item| {
                let Ok(element) = Shape::element(&items, form, item) else {
                    return true;
                };
                if set.has_member(&element) {
                    return false;
                }
                if let Some(below) = set.below(&element) {
                    remove(&items, item, below);
                }
                true
            });
            if list.is_empty() {
                *value = Value::Null;
            }
        }
        (Form::Leaf, Value::Object(_) | Value::Array(_)) => *value = Value::Null,
        _ => {}
    }
}

/// Removes the fields that are null where the schema has no null: what a typed object would not have either.
/// Custom resources have no types: what is null in one is its schema's to judge.
pub(crate) fn drop_nulls(shape: &Shape<'_>, value: &mut Value) {
    let Shape::Known { schema, object, .. } = shape else {
        return;
    };
    if *object && schema.embedded {
        return;
    }
    if schema.kind == warren_schema::Type::Any {
        return;
    }
    match value {
        Value::Object(map) => map.retain(|name, value| {
            let Child { shape: child, known } = shape.child(name);
            let droppable = match &child {
                // An entry of a map stays: it becomes the zero of its type when it is decoded.
                _ if known == Known::Additional => false,
                Shape::Known { schema, .. } => !schema.nullable && schema.kind != warren_schema::Type::Any,
                Shape::Deduced => false,
            };
            if value.is_null() {
                return !droppable;
            }
            if value.is_object() || value.is_array() {
                drop_nulls(&child, value);
            }
            true
        }),
        Value::Array(list) => {
            let items = shape.items();
            list.iter_mut().for_each(|item| drop_nulls(&items, item));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::schema;

    /// Merges sets of one-letter texts.
    fn check(mine: &str, theirs: &str, expect: &str) {
        let schema = schema(&json!({"type": "object", "properties": {"set": {
            "type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}}));
        let list = |letters: &str| json!({"set": letters.chars().map(String::from).collect::<Vec<_>>()});
        let mut value = list(mine);
        merge(&Shape::object(&schema), &mut value, &list(theirs)).unwrap();
        assert_eq!(value, list(expect), "{mine} + {theirs}");
    }

    #[test]
    fn lists_are_woven_as_structured_merge_diff_weaves_them() {
        check("abc", "ab", "abc");
        check("ab", "abc", "abc");
        check("abc", "", "abc");
        check("", "abc", "abc");
        check("ab", "ba", "ba");
        check("abc", "def", "abcdef");
        check("abc", "cdef", "abcdef");
        check("abcgf", "cdef", "abcgdef");
        check("cdef", "ace", "acdef");
        check("abcxyz", "def", "abcxyzdef");
        check("abcxyz", "defxyz", "abcdefxyz");
        check("cagf", "cfag", "cfag");
        check("abcd", "defa", "bcdefa");
        check("cdefghij", "2h3e4kl", "cdfg2hij3e4kl");
        check("abcdefghij", "1b2h3e4kl", "a1bcdfg2hij3e4kl");
    }

    #[test]
    fn what_stands_twice_in_the_object_stays_unless_it_is_applied() {
        check("abb", "c", "abbc");
        check("abb", "b", "ab");
        check("abb", "a", "abb");
        check("abcdec", "1b2ed", "a1bc2ecd");
        check("abcdec", "1b2ced", "a1b2ced");
        check("aabb", "bcd", "aabcd");
        check("aabb", "", "aabb");
        check("cagfca", "cfag", "cfag");
    }

    #[test]
    fn null_and_empty_do_not_take_away() {
        let schema = crate::testing::deployment();
        let shape = Shape::object(&schema);
        for theirs in [json!({"data": null}), json!({"data": {}})] {
            let mut value = json!({"data": {"a": "1"}});
            merge(&shape, &mut value, &theirs).unwrap();
            assert_eq!(value, json!({"data": {"a": "1"}}));
        }
    }
}
