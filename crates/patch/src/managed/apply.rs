//! Server-side apply: merge a configuration into an object, take out what its manager no longer applies, and
//! refuse to change what others own.

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use super::blank::blank;
use super::compare::{ListError, compare};
use super::conflict::{ApplyError, Conflict};
use super::fields::{of_shape, with_named_fields};
use super::last_applied;
use super::owners::{Identity, Operation, Owner, Owners, strip};
use super::set::FieldSet;
use super::shape::Shape;
use super::update::{Write, reconcile, same_object};
use super::versions::Differences;
use super::{Apply, merge, validate};

/// The manager that owns what was in an object before anybody applied to it and nobody was recorded.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Applies a configuration: the object to be stored, with its `managedFields`. An apply that changes nothing
/// answers the live object as it is, times included.
///
/// # Errors
/// `Malformed` for a configuration of another kind or version or with `managedFields`, `DoesNotFit` for one
/// that its schema does not have, `Conflicts` where others own what would change.
pub fn apply(input: Apply<'_>) -> Result<Value, ApplyError> {
    check_type(&input)?;
    let mut owners = match input.live {
        Some(live) => Owners::of(live)
            .map_err(|e| ApplyError::DoesNotFit(format!("failed to decode managed fields: {e}")))?,
        None => Owners::default(),
    };
    let reset = FieldSet::of_names(input.reset);
    if owners.is_empty()
        && let Some(live) = input.live
    {
        owners = before_first_apply(&input, live, &reset)?;
    }
    if !input.configuration.at("/metadata/managedFields").is_null() {
        return Err(ApplyError::Malformed("metadata.managedFields must be nil".into()));
    }
    if let Some(message) = validate::check(input.schema, input.configuration) {
        return Err(ApplyError::DoesNotFit(format!(
            "failed to create typed patch object ({}): {message}",
            named(&input)
        )));
    }
    reconcile(&mut owners, input.schema);
    let identity = Identity::new(
        input.manager,
        Operation::Apply,
        input.api_version,
        input.subresource,
    );
    let attempt = Attempt {
        input: &input,
        reset,
        identity,
    };
    let outcome = match attempt.run(owners.clone(), input.force) {
        Err(ApplyError::Conflicts(conflicts)) if input.manager == last_applied::MANAGER => {
            let left = last_applied::unsettled(&input, conflicts);
            if !left.is_empty() {
                return Err(ApplyError::Conflicts(left));
            }
            attempt.run(owners, true)
        }
        outcome => outcome,
    };
    let mut object = outcome?;
    if input.manager == last_applied::MANAGER {
        last_applied::refresh(&mut object, input.configuration);
    }
    Ok(object)
}

fn check_type(input: &Apply<'_>) -> Result<(), ApplyError> {
    let (api_version, kind) = (
        input.configuration.text("/apiVersion"),
        input.configuration.text("/kind"),
    );
    if api_version == input.api_version && kind == input.kind {
        return Ok(());
    }
    Err(ApplyError::Malformed(format!(
        "invalid object type: {}",
        gvk(api_version, kind)
    )))
}

/// Go's form of a group, version and kind.
fn gvk(api_version: &str, kind: &str) -> String {
    let group_version = if api_version.contains('/') {
        api_version.to_owned()
    } else {
        format!("/{api_version}")
    };
    format!("{group_version}, Kind={kind}")
}

fn named(input: &Apply<'_>) -> String {
    let metadata = input.configuration.at("/metadata");
    format!(
        "{}/{}; {}",
        metadata.text("/namespace"),
        metadata.text("/name"),
        gvk(input.api_version, input.kind)
    )
}

fn before_first_apply(input: &Apply<'_>, live: &Value, reset: &FieldSet) -> Result<Owners, ApplyError> {
    let write = Write {
        manager: BEFORE_FIRST_APPLY,
        api_version: input.api_version,
        subresource: input.subresource,
        now: input.now,
    };
    let blank = blank(input.schema);
    let found = compare(input.schema, &blank, live)
        .map_err(|e| ApplyError::DoesNotFit(format!("failed to create manager for existing fields: {e}")))?;
    let mut owners = Owners::default();
    let own = (input.api_version, found.without(reset));
    let differences = Differences::of(own, &mut owners, (&blank, live), reset, input.in_version);
    Ok(write.owners_after(owners, input.schema, &differences))
}

struct Attempt<'a> {
    input: &'a Apply<'a>,
    reset: FieldSet,
    identity: Identity,
}

impl Attempt<'_> {
    fn run(&self, mut owners: Owners, force: bool) -> Result<Value, ApplyError> {
        let input = self.input;
        let shape = Shape::object(input.schema);
        let nothing = Value::Object(Map::new());
        let live = input.live.unwrap_or(&nothing);
        let does_not_fit =
            |what: &str, e: ListError| ApplyError::DoesNotFit(format!("failed to {what}: {e}"));

        let mut merged = without_owners(live);
        merge::merge(&shape, &mut merged, input.configuration)
            .map_err(|e| does_not_fit("merge config", e))?;

        let set = of_shape(&shape, input.configuration).recursive_difference(&self.reset);
        let (last, time) = match owners.find(&self.identity) {
            Some(owner) => (owner.set.clone(), owner.time.clone()),
            None => (FieldSet::new(), None),
        };
        owners.put(Owner {
            identity: self.identity.clone(),
            api_version: input.api_version.into(),
            set,
            time,
        });
        self.prune(&shape, &mut merged, &owners, &last);

        let comparison = compare(input.schema, live, &merged)
            .map_err(|e| does_not_fit("compare objects", e))?
            .without(&self.reset);
        let own = (input.api_version, comparison);
        let differences = Differences::of(own, &mut owners, (live, &merged), &self.reset, input.in_version);
        let conflicts = self.conflicts(&owners, &differences);
        if !force && !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(conflicts));
        }
        differences.disown(&mut owners, Some(&self.identity));

        merge::drop_nulls(&shape, &mut merged);
        let changed = !same_object(live, &merged);
        for owner in owners
            .0
            .iter_mut()
            .filter(|owner| owner.identity == self.identity)
        {
            strip(&mut owner.set);
            if changed {
                owner.time = Some(SmolStr::new(input.now));
            }
        }
        owners.0.retain(|owner| !owner.set.is_empty());
        owners.write_to(&mut merged);
        Ok(merged)
    }

    fn conflicts(&self, owners: &Owners, differences: &Differences) -> Vec<Conflict> {
        let mut others: Vec<_> = owners
            .0
            .iter()
            .filter(|owner| owner.identity != self.identity)
            .collect();
        others.sort_by(|a, b| a.identity.cmp(&b.identity));
        others
            .into_iter()
            .flat_map(|owner| {
                let paths = differences.taken_from(owner).paths();
                paths
                    .into_iter()
                    .map(|path| Conflict::new(owner.identity.clone(), path))
            })
            .collect()
    }

    /// Takes out what the manager applied last time, does not apply now, and nobody else owns.
    fn prune(&self, shape: &Shape<'_>, merged: &mut Value, owners: &Owners, last: &FieldSet) {
        let now = owners.find(&self.identity).map(|owner| &owner.set);
        if now.is_none_or(|now| last.difference(now).is_empty()) {
            return;
        }
        let last = with_named_fields(shape, last);
        let mut managed = FieldSet::new();
        for owner in &owners.0 {
            managed = managed.union(&owner.set);
        }
        let managed = with_named_fields(shape, &managed);
        let everything = with_named_fields(shape, &of_shape(shape, merged));
        let left_by = |remove: &FieldSet| {
            let mut value = merged.clone();
            merge::remove(shape, &mut value, remove);
            with_named_fields(shape, &of_shape(shape, &value))
        };
        // Without all that was applied last time, then with what others (or the manager, now) own added back.
        let without_last = left_by(&last);
        let with_owned = left_by(&everything.difference(&without_last.union(&managed)));
        // What is gone by now but was not the manager's (it lay below something that was) stays.
        merge::remove(
            shape,
            merged,
            &everything.difference(&with_owned).intersection(&last),
        );
    }
}

/// A copy of an object, but for its owners.
fn without_owners(object: &Value) -> Value {
    let Value::Object(fields) = object else {
        return Value::Object(Map::new());
    };
    let copy = fields.iter().map(|(name, value)| match (name.as_str(), value) {
        ("metadata", Value::Object(metadata)) => {
            let rest = metadata.iter().filter(|(name, _)| *name != "managedFields");
            (
                name.clone(),
                rest.map(|(name, value)| (name.clone(), value.clone())).collect(),
            )
        }
        _ => (name.clone(), value.clone()),
    });
    Value::Object(copy.collect())
}
