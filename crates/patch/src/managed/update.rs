//! What a write other than apply does to the owners of an object's fields.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_schema::Schema;

use super::OwnershipUpdate;
use super::blank::blank;
use super::compare::{Comparison, compare};
use super::fields::{is_outdated, reconciled};
use super::owners::{Identity, Operation, Owner, Owners, is_reset, strip};
use super::set::FieldSet;
use super::shape::Shape;
use super::versions::Differences;

/// Keeps `metadata.managedFields` of `after`: what the write changed or added belongs to the manager, and to
/// nobody else; what it removed belongs to nobody. The manager's time is `now` when it gained anything.
///
/// An object of which nobody owns anything stays so. Where the owners cannot be told (a list without its
/// keys), they are forgotten, as upstream does.
pub fn update(input: OwnershipUpdate<'_>) {
    if !input.after.at("/metadata").is_object() {
        return;
    }
    let is_create = input
        .before
        .is_none_or(|object| object.text("/metadata/uid").is_empty());
    let is_subresource = !input.subresource.is_empty();
    let start;
    let before = match input.before {
        Some(before) => before,
        None => {
            start = blank(input.schema);
            &start
        }
    };
    let reset = FieldSet::of_names(input.reset);
    let comparison = compare(input.schema, before, input.after).map(|found| found.without(&reset));
    if !is_create
        && comparison.as_ref().is_ok_and(Comparison::is_empty)
        && keeps_owners(before, input.after, is_subresource)
    {
        return;
    }
    let owners = owners_of(before, input.after, is_subresource);
    if let Some(metadata) = input.after.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if owners.is_empty() && !is_create {
        return;
    }
    let write = Write {
        manager: input.manager,
        api_version: input.api_version,
        subresource: input.subresource,
        now: input.now,
    };
    if let Ok(comparison) = comparison {
        let mut owners = owners;
        let own = (input.api_version, comparison);
        let sides = (before, &*input.after);
        let differences = Differences::of(own, &mut owners, sides, &reset, input.in_version);
        write
            .owners_after(owners, input.schema, &differences)
            .write_to(input.after);
    }
}

/// Whether the owners stay as they are when no field changed: the client did not edit them, or may not.
fn keeps_owners(before: &Value, after: &mut Value, is_subresource: bool) -> bool {
    let (stored, sent) = (
        before.at("/metadata/managedFields"),
        after.at("/metadata/managedFields"),
    );
    if stored == sent {
        return true;
    }
    if !sent.is_null() && !is_subresource {
        return false;
    }
    let stored = stored.clone();
    if let Some(metadata) = after.get_mut("metadata").and_then(Value::as_object_mut) {
        if stored.is_null() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), stored);
        }
    }
    true
}

/// The owners to start from: those that the client sent, so that it may edit them, or else those of before.
/// A subresource does not let its clients edit them.
fn owners_of(before: &Value, after: &Value, is_subresource: bool) -> Owners {
    let stored = || Owners::of(before).unwrap_or_default();
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
}

impl Write<'_> {
    /// The owners once this has changed.
    pub(crate) fn owners_after(
        &self,
        mut owners: Owners,
        schema: &Schema,
        differences: &Differences,
    ) -> Owners {
        reconcile(&mut owners, schema);
        let mut gained = differences.gained();
        if !owners.is_empty() {
            differences.disown(&mut owners, None);
        }
        strip(&mut gained);
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
        owners
    }
}

/// Follows changes of the schema since the sets were written.
pub(crate) fn reconcile(owners: &mut Owners, schema: &Schema) {
    let shape = Shape::object(schema);
    for owner in owners
        .0
        .iter_mut()
        .filter(|owner| is_outdated(&shape, &owner.set))
    {
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
