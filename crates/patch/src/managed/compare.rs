//! What changed between two objects, as sets of fields.

use serde_json::{Map, Value};
use warren_schema::Schema;

use super::element::{PathElement, equal};
use super::set::FieldSet;
use super::shape::{Form, Shape, elements, fields};

/// The differences between two objects. No field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that both have, with different values.
    pub changed: FieldSet,
    /// Fields that only the second has.
    pub added: FieldSet,
    /// Fields that only the first has.
    pub removed: FieldSet,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }

    /// Without the fields in `reset` and what lies below them.
    #[must_use]
    pub(crate) fn without(self, reset: &FieldSet) -> Self {
        if reset.is_empty() {
            return self;
        }
        Self {
            changed: self.changed.recursive_difference(reset),
            added: self.added.recursive_difference(reset),
            removed: self.removed.recursive_difference(reset),
        }
    }

    fn push(&mut self, element: &PathElement, mark: Mark, below: Self) {
        let push = |set: &mut FieldSet, member, below: FieldSet| {
            if member || !below.is_empty() {
                set.push(element.clone(), member, below);
            }
        };
        push(&mut self.changed, mark == Mark::Changed, below.changed);
        push(&mut self.added, mark == Mark::Added, below.added);
        push(&mut self.removed, mark == Mark::Removed, below.removed);
    }
}

/// A list whose elements cannot be told apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ListError(pub(crate) String);

/// Compares two objects of `schema`. `metadata.managedFields` is not looked at.
///
/// # Errors
/// Where an element of a set or keyed list has no key.
pub fn compare(schema: &Schema, before: &Value, after: &Value) -> Result<Comparison, ListError> {
    Ok(node(&Shape::object(schema), Some(before), Some(after), Depth::Root)?.1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Same,
    Changed,
    Added,
    Removed,
}

/// Where in the object the walk is: `metadata.managedFields` is skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Root,
    Metadata,
    Below,
}

type Outcome = Result<(Mark, Comparison), ListError>;

fn node(shape: &Shape<'_>, before: Option<&Value>, after: Option<&Value>, depth: Depth) -> Outcome {
    let (first, second) = (before.map(|v| shape.form(v)), after.map(|v| shape.form(v)));
    let mut out = match (first, second) {
        // A value that became one of another form is both a changed leaf and a new tree.
        (Some(first), Some(second)) if first != second => {
            let (mark, found) = by_form(shape, first, (before, after), depth)?;
            let (more_mark, more) = by_form(shape, second, (before, after), depth)?;
            let union = Comparison {
                changed: found.changed.union(&more.changed),
                added: found.added.union(&more.added),
                removed: found.removed.union(&more.removed),
            };
            (if mark == Mark::Same { more_mark } else { mark }, union)
        }
        (_, Some(form)) | (Some(form), None) => by_form(shape, form, (before, after), depth)?,
        (None, None) => (Mark::Same, Comparison::default()),
    };
    if out.0 == Mark::Same {
        out.0 = match (before, after) {
            (None, Some(_)) => Mark::Added,
            (Some(_), None) => Mark::Removed,
            _ => Mark::Same,
        };
    }
    Ok(out)
}

type Sides<'v> = (Option<&'v Value>, Option<&'v Value>);

fn by_form(shape: &Shape<'_>, form: Form<'_>, (before, after): Sides<'_>, depth: Depth) -> Outcome {
    match form {
        Form::Leaf => Ok(leaf(before, after)),
        Form::Map => match (fields(before), fields(after)) {
            // Two empty ones are a leaf, so that empty and null are told apart.
            (None, None) => Ok(leaf(before, after)),
            (before, after) => Ok((Mark::Same, maps(shape, before, after, depth)?)),
        },
        Form::Set | Form::Keyed(_) => match (elements(before), elements(after)) {
            ([], []) => Ok(leaf(before, after)),
            (before, after) => Ok((Mark::Same, lists(shape, form, before, after)?)),
        },
    }
}

fn leaf(before: Option<&Value>, after: Option<&Value>) -> (Mark, Comparison) {
    let mark = match (before, after) {
        (None, Some(_)) => Mark::Added,
        (Some(_), None) => Mark::Removed,
        (Some(before), Some(after)) if !equal(before, after) => Mark::Changed,
        _ => Mark::Same,
    };
    (mark, Comparison::default())
}

fn maps(
    shape: &Shape<'_>,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    depth: Depth,
) -> Result<Comparison, ListError> {
    let mut out = Comparison::default();
    let old = before.into_iter().flatten().map(|(name, value)| {
        let other = after.and_then(|map| map.get(name));
        (name.as_str(), Some(value), other)
    });
    let new = after
        .into_iter()
        .flatten()
        .filter(|(name, _)| !before.is_some_and(|map| map.contains_key(*name)))
        .map(|(name, value)| (name.as_str(), None, Some(value)));
    // What upstream always writes is there in what is new, even where nobody set it yet.
    let written = shape.always_written().iter().filter(|_| after.is_some());
    let unset = written
        .filter(|(name, _)| !after.is_some_and(|map| map.contains_key(name.as_str())))
        .filter(|(_, zero)| before.is_none() && !zero.is_object())
        .map(|(name, zero)| (name.as_str(), None, Some(zero)));
    let zero = |name: &str| {
        let mut all = shape.always_written().iter();
        all.find(|(other, _)| other == name).map(|(_, zero)| zero)
    };
    let old = old.map(|(name, old, new)| (name, old, new.or_else(|| after.and_then(|_| zero(name)))));
    for (name, before, after) in old.chain(new).chain(unset) {
        let below = match (depth, name) {
            (Depth::Root, "metadata") => Depth::Metadata,
            (Depth::Metadata, "managedFields") => continue,
            _ => Depth::Below,
        };
        // Most of two versions of an object is the same: that needs no schema.
        if below == Depth::Below && before == after {
            continue;
        }
        let (mark, found) = node(&shape.child(name).shape, before, after, below)?;
        if mark != Mark::Same || !found.is_empty() {
            out.push(&PathElement::field(name), mark, found);
        }
    }
    Ok(out)
}

fn lists(
    shape: &Shape<'_>,
    form: Form<'_>,
    before: &[Value],
    after: &[Value],
) -> Result<Comparison, ListError> {
    let items = shape.items();
    let mut found: Vec<(PathElement, bool, &Value)> = Vec::with_capacity(before.len() + after.len());
    for (list, is_after) in [(before, false), (after, true)] {
        for (index, item) in list.iter().enumerate() {
            let element = Shape::element(&items, form, item)
                .map_err(|message| ListError(format!("element {index}: {message}")))?;
            found.push((element, is_after, item));
        }
    }
    // The sort is stable: per element first those of before, then those of after, each in order.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Comparison::default();
    for same in found.chunk_by(|a, b| a.0 == b.0) {
        let Some((element, ..)) = same.first() else {
            continue;
        };
        let (old, new) = same.split_at(same.partition_point(|(_, is_after, _)| !is_after));
        let first_old = old.first().map(|(_, _, value)| *value);
        let first_new = new.first().map(|(_, _, value)| *value);
        let (mark, below) = match (old.len(), new.len()) {
            (0 | 1, 0 | 1) if first_old == first_new => continue,
            (0 | 1, 0 | 1) => node(&items, first_old, first_new, Depth::Below)?,
            // Elements that occur twice are compared as a whole.
            (2.., 2..) => {
                let equal = old.len() == new.len() && old.iter().zip(new).all(|(a, b)| equal(a.2, b.2));
                (
                    if equal { Mark::Same } else { Mark::Changed },
                    Comparison::default(),
                )
            }
            (2.., _) => {
                let below = match first_new {
                    Some(_) => node(&items, None, first_new, Depth::Below)?.1,
                    None => Comparison::default(),
                };
                if first_new.is_some() {
                    out.push(element, Mark::Added, Comparison::default());
                }
                (Mark::Removed, below)
            }
            (_, _) => {
                let below = match first_old {
                    Some(_) => node(&items, first_old, None, Depth::Below)?.1,
                    None => Comparison::default(),
                };
                if first_old.is_some() {
                    out.push(element, Mark::Removed, Comparison::default());
                }
                (Mark::Added, below)
            }
        };
        if mark != Mark::Same || !below.is_empty() {
            out.push(element, mark, below);
        }
    }
    Ok(out)
}
