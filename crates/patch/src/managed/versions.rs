//! What a write means to the managers of other versions: each owns fields as its version calls them.

use serde_json::Value;
use smol_str::SmolStr;

use super::InVersion;
use super::compare::{Comparison, compare};
use super::owners::{Identity, Owner, Owners};
use super::set::FieldSet;

/// The differences between two objects, in the version of the write and in those of other managers.
pub(crate) struct Differences {
    own_version: SmolStr,
    own: Comparison,
    others: Vec<(SmolStr, Comparison)>,
}

impl Differences {
    /// The differences for all `owners`. An owner whose version there is not is dropped.
    pub(crate) fn of(
        own: (&str, Comparison),
        owners: &mut Owners,
        (before, after): (&Value, &Value),
        reset: &FieldSet,
        in_version: &InVersion<'_>,
    ) -> Self {
        let mut differences = Self {
            own_version: own.0.into(),
            own: own.1,
            others: Vec::new(),
        };
        owners.0.retain(|owner| {
            let version = owner.api_version.as_str();
            if differences.find(version).is_some() {
                return true;
            }
            let Some((schema, [before, after])) = in_version(version, before, after) else {
                return false;
            };
            let comparison = compare(&schema, &before, &after).unwrap_or_default();
            differences
                .others
                .push((version.into(), comparison.without(reset)));
            true
        });
        differences
    }

    fn find(&self, version: &str) -> Option<&Comparison> {
        if version == self.own_version {
            return Some(&self.own);
        }
        let mut others = self.others.iter();
        others.find(|(other, _)| other == version).map(|(_, found)| found)
    }

    /// What was changed or added, in the version of the write.
    pub(crate) fn gained(&self) -> FieldSet {
        gained(&self.own)
    }

    /// Whether the version of the write is the only one.
    fn is_plain(&self) -> bool {
        self.others.is_empty()
    }

    /// The fields of an owner that the write changed or added.
    pub(crate) fn taken_from(&self, owner: &Owner) -> FieldSet {
        let found = self.find(&owner.api_version);
        found.map_or_else(FieldSet::new, |found| owner.set.intersection(&gained(found)))
    }

    /// Takes what was changed, added or removed from every owner but `except`; who then owns nothing is gone.
    pub(crate) fn disown(&self, owners: &mut Owners, except: Option<&Identity>) {
        if self.is_plain() {
            return owners.disown(&gained(&self.own).union(&self.own.removed), except);
        }
        for owner in owners
            .0
            .iter_mut()
            .filter(|owner| Some(&owner.identity) != except)
        {
            if let Some(found) = self.find(&owner.api_version) {
                owner.set.subtract(&gained(found).union(&found.removed));
            }
        }
        owners.0.retain(|owner| !owner.set.is_empty());
    }
}

fn gained(comparison: &Comparison) -> FieldSet {
    if comparison.changed.is_empty() {
        comparison.added.clone()
    } else {
        comparison.changed.union(&comparison.added)
    }
}
