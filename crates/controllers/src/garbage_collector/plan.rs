//! What becomes of an object whose owners are known: pure.

use smol_str::SmolStr;
use warren_apimachinery::{Meta, OwnerReference};
use warren_reconciler::Propagation;

/// Waits until dependents are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Lets dependents go free.
pub(super) const ORPHAN: &str = "orphan";

/// What an owner reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// To an object that stays (or whose fate is not known).
    Solid,
    /// To nothing.
    Absent,
    /// To an object that waits for its dependents to go.
    Waiting,
}

/// What to do with a dependent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// It stays, but loses the references to these uids.
    Release(Vec<SmolStr>),
    Delete(Propagation),
}

/// What becomes of an object by the state of its owners, and by whether it has dependents itself.
pub(super) fn fate(object: &Meta, owners: &[(OwnerReference, OwnerState)], has_dependents: bool) -> Fate {
    let of = |state: OwnerState| owners.iter().filter(move |(_, of)| *of == state);
    if owners.is_empty() {
        return Fate::Keep;
    }
    if of(OwnerState::Solid).next().is_some() {
        let lost: Vec<SmolStr> = owners
            .iter()
            .filter(|(_, of)| *of != OwnerState::Solid)
            .map(|(owner, _)| owner.uid.clone())
            .collect();
        return if lost.is_empty() {
            Fate::Keep
        } else {
            Fate::Release(lost)
        };
    }
    if of(OwnerState::Waiting).next().is_some() && has_dependents {
        return Fate::Delete(Propagation::Foreground);
    }
    let has = |finalizer: &str| object.finalizers.iter().any(|held| held == finalizer);
    Fate::Delete(if has(ORPHAN) {
        Propagation::Orphan
    } else if has(FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(states: &[OwnerState], has_dependents: bool, expect: Fate) {
        let owners: Vec<_> = states
            .iter()
            .enumerate()
            .map(|(at, state)| {
                let owner = OwnerReference {
                    api_version: "v1".into(),
                    kind: "Pod".into(),
                    name: "x".into(),
                    uid: at.to_string().into(),
                    controller: false,
                    block_owner_deletion: false,
                };
                (owner, *state)
            })
            .collect();
        assert_eq!(
            fate(&Meta::default(), &owners, has_dependents),
            expect,
            "{states:?}"
        );
    }

    #[test]
    fn an_object_goes_with_its_last_owner() {
        use OwnerState::{Absent, Solid, Waiting};
        check(&[], false, Fate::Keep);
        check(&[Solid, Solid], false, Fate::Keep);
        check(&[Solid, Absent], false, Fate::Release(vec!["1".into()]));
        check(&[Waiting, Solid], true, Fate::Release(vec!["0".into()]));
        check(&[Absent], true, Fate::Delete(Propagation::Background));
        check(&[Waiting], false, Fate::Delete(Propagation::Background));
        check(&[Waiting, Absent], true, Fate::Delete(Propagation::Foreground));
    }
}
