//! What a write other than apply does to the owners of an object's fields.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use super::OwnershipUpdate;
use super::blank::blank;
use super::compare::{Comparison, ListError, compare};
use super::fields::reconciled;
use super::owners::{Identity, Operation, Owner, Owners, is_reset, stripped};
use super::set::FieldSet;
use super::shape::Shape;

/// Keeps `metadata.managedFields` of `after`: what the write changed or added belongs to the manager, and to
/// nobody else; what it removed belongs to nobody. The manager's time is `now` when it gained anything.
///
/// An object of which nobody owns anything stays so. Where the owners cannot be told (a list without its
/// keys), they are forgotten, as upstream does.
pub fn update(input: OwnershipUpdate<'_>) {
    let before = input.before;
    if !input.after.at("/metadata").is_object() {
        return;
    }
    let owners = owners_of(before, input.after, !input.subresource.is_empty());
    if let Some(metadata) = input.after.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let is_create = before.is_none_or(|object| object.text("/metadata/uid").is_empty());
    if owners.is_empty() && !is_create {
        return;
    }
    let start;
    let before = match before {
        Some(before) => before,
        None => {
            start = blank(input.schema);
            &start
        }
    };
    let write = Write {
        manager: input.manager,
        api_version: input.api_version,
        subresource: input.subresource,
        now: input.now,
        reset: &FieldSet::of_names(input.reset),
    };
    if let Ok(owners) = write.owners_after(owners, input.schema, before, input.after) {
        owners.write_to(input.after);
    }
}

/// The owners to start from: those that the client sent, so that it may edit them, or else those of before.
/// A subresource does not let its clients edit them.
fn owners_of(before: Option<&Value>, after: &Value, is_subresource: bool) -> Owners {
    let stored = || {
        before
            .and_then(|object| Owners::of(object).ok())
            .unwrap_or_default()
    };
    if is_subresource {
        return stored();
    }
    if is_reset(after) {
        return Owners::default();
    }
    match Owners::of(after) {
        Ok(owners) if !owners.is_empty() => owners,
        _ => stored(),
    }
}

/// Who writes, when, and what they may not own.
pub(crate) struct Write<'a> {
    pub(crate) manager: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) now: &'a str,
    pub(crate) reset: &'a FieldSet,
}

impl Write<'_> {
    /// The owners once the object is `after`.
    pub(crate) fn owners_after(
        &self,
        mut owners: Owners,
        schema: &warren_schema::Schema,
        before: &Value,
        after: &Value,
    ) -> Result<Owners, ListError> {
        reconcile(&mut owners, schema);
        let Comparison {
            changed,
            added,
            removed,
        } = compare(schema, before, after)?.without(self.reset);
        let gained = changed.union(&added);
        owners.disown(&gained.union(&removed), None);
        let gained = stripped(&gained);
        if !gained.is_empty() {
            let identity = Identity::new(
                self.manager,
                Operation::Update,
                self.api_version,
                self.subresource,
            );
            let set = match owners.find(&identity) {
                Some(previous) => previous.set.union(&gained),
                None => gained,
            };
            owners.put(Owner {
                identity,
                api_version: self.api_version.into(),
                set,
                time: Some(SmolStr::new(self.now)),
            });
        }
        owners.cap();
        Ok(owners)
    }
}

/// Follows changes of the schema since the sets were written.
pub(crate) fn reconcile(owners: &mut Owners, schema: &warren_schema::Schema) {
    let shape = Shape::object(schema);
    for owner in &mut owners.0 {
        owner.set = reconciled(&shape, &owner.set);
    }
}

/// Gives `after` the times of `before` in `managedFields` when they are all that differs, so that a write that
/// changes nothing is none. To be called last, on the object that would be stored.
pub fn keep_times(before: &Value, after: &mut Value) {
    let (old, new) = (
        before.at("/metadata/managedFields"),
        after.at("/metadata/managedFields"),
    );
    if old == new {
        return;
    }
    let (Some(old_entries), Some(new_entries)) = (old.as_array(), new.as_array()) else {
        return;
    };
    let same_entries = old_entries.len() == new_entries.len()
        && old_entries
            .iter()
            .zip(new_entries)
            .all(|(a, b)| same_but(a, b, &["time"]));
    if same_entries && same_object(before, after) {
        after.set("/metadata/managedFields", old.clone());
    }
}

fn same_but(a: &Value, b: &Value, except: &[&str]) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return a == b;
    };
    let skip = |name: &String| except.contains(&name.as_str());
    a.iter()
        .filter(|(name, _)| !skip(name))
        .all(|(name, value)| b.get(name) == Some(value))
        && b.keys()
            .filter(|name| !skip(name))
            .all(|name| a.contains_key(name))
}

/// Equality of all but `metadata.managedFields`.
pub(crate) fn same_object(a: &Value, b: &Value) -> bool {
    same_but(a, b, &["metadata"]) && same_but(a.at("/metadata"), b.at("/metadata"), &["managedFields"])
}
