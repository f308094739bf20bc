//! The fields of an object: every leaf, every element of a list, every empty map.

use serde_json::Value;
use warren_schema::Schema;

use super::element::PathElement;
use super::set::FieldSet;
use super::shape::{Form, Known, Shape};

impl FieldSet {
    /// Every field that `value`, an object of `schema`, mentions. List elements that cannot be told apart
    /// are left out.
    pub fn of(schema: &Schema, value: &Value) -> Self {
        walk(&Shape::object(schema), value).1
    }
}

pub(crate) fn of_shape(shape: &Shape<'_>, value: &Value) -> FieldSet {
    walk(shape, value).1
}

/// Whether the node is a leaf, and what lies below it.
fn walk(shape: &Shape<'_>, value: &Value) -> (bool, FieldSet) {
    let mut set = FieldSet::new();
    match (shape.form(value), value) {
        (Form::Map, Value::Object(map)) => {
            for (name, value) in map {
                let child = shape.child(name);
                let (leaf, below) = walk(&child.shape, value);
                let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                let member = leaf || empty || child.known != Known::Declared;
                set.push(PathElement::field(name.as_str()), member, below);
            }
            (false, set)
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(list)) => {
            let items = shape.items();
            let found: Vec<_> = list
                .iter()
                .filter_map(|item| Some((Shape::element(&items, form, item).ok()?, item)))
                .collect();
            let mut order: Vec<_> = found.iter().collect();
            order.sort_by(|a, b| a.0.cmp(&b.0));
            for same in order.chunk_by(|a, b| a.0 == b.0) {
                if let [(element, item), rest @ ..] = same {
                    // Elements that occur twice are owned as one, without what is in them.
                    let below = if rest.is_empty() {
                        walk(&items, item).1
                    } else {
                        FieldSet::new()
                    };
                    set.push(element.clone(), true, below);
                }
            }
            (false, set)
        }
        (Form::Leaf, _) => (true, set),
        // Null where a map or list is expected: the parent marks it.
        _ => (false, set),
    }
}

/// The set with every struct field that leads to a member made a member too.
pub(crate) fn with_named_fields(shape: &Shape<'_>, set: &FieldSet) -> FieldSet {
    let mut out = FieldSet::new();
    for (element, member, below) in set.iter() {
        let (child, declared) = match element {
            PathElement::Field(name) => {
                let child = shape.child(name);
                (child.shape, child.known == Known::Declared)
            }
            PathElement::Key(_) => (shape.items(), false),
            _ => (Shape::Deduced, false),
        };
        let member = member || (declared && !below.is_empty());
        out.push(element.clone(), member, with_named_fields(&child, below));
    }
    out
}

/// Whether the schema has made a field atomic since the set was written.
pub(crate) fn is_outdated(shape: &Shape<'_>, set: &FieldSet) -> bool {
    set.iter()
        .filter(|(_, _, below)| !below.is_empty())
        .any(|(element, _, below)| {
            let child = match element {
                PathElement::Field(name) => shape.child(name).shape,
                PathElement::Key(_) => shape.items(),
                _ => return false,
            };
            child.is_atomic() || is_outdated(&child, below)
        })
}

/// Takes what lies below a field that the schema has made atomic since the set was written as ownership of
/// the field itself.
pub(crate) fn reconciled(shape: &Shape<'_>, set: &FieldSet) -> FieldSet {
    let mut out = FieldSet::new();
    for (element, member, below) in set.iter() {
        let child = match element {
            PathElement::Field(name) => shape.child(name).shape,
            PathElement::Key(_) => shape.items(),
            _ => Shape::Deduced,
        };
        if below.is_empty() {
            out.push(element.clone(), member, FieldSet::new());
        } else if child.is_atomic() {
            out.push(element.clone(), true, FieldSet::new());
        } else {
            out.push(element.clone(), member, reconciled(&child, below));
        }
    }
    out
}
