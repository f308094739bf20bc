//! What was decided about a request.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

const DECISIONS: [&str; 2] = ["Approved", "Denied"];

/// Whether there is a condition of this kind.
pub(super) fn has(object: &Value, kind: &str) -> bool {
    count(object, kind) > 0
}

fn count(object: &Value, kind: &str) -> usize {
    let conditions = object.items("/status/conditions").iter();
    conditions
        .filter(|condition| condition.text("/type") == kind)
        .count()
}

/// What was decided stays.
pub(super) fn kept(errors: &mut Errors, new: &Value, old: &Value) {
    for kind in ["Approved", "Denied", "Failed"] {
        if count(new, kind) < count(old, kind) {
            errors.push(Error::forbidden(
                &Path::new("status.conditions"),
                format!("updates may not remove a condition of type {kind:?}"),
            ));
        }
    }
}

/// Nothing is decided outside of the approval.
pub(super) fn not_decided(errors: &mut Errors, new: &Value, old: &Value) {
    for kind in DECISIONS {
        if count(new, kind) > count(old, kind) {
            errors.push(Error::forbidden(
                &Path::new("status.conditions"),
                format!("updates may not add a condition of type {kind:?}"),
            ));
        }
    }
}

/// Keeps decisions as they were, unless there are more or fewer of them.
pub(super) fn preserve(new: &mut Value, old: &Value) {
    for kind in DECISIONS {
        if count(new, kind) != count(old, kind) {
            continue;
        }
        let mut before = old
            .items("/status/conditions")
            .iter()
            .filter(|condition| condition.text("/type") == kind);
        let conditions = new
            .pointer_mut("/status/conditions")
            .and_then(Value::as_array_mut);
        let of_kind = conditions
            .into_iter()
            .flatten()
            .filter(|condition| condition.text("/type") == kind);
        for (now, before) in of_kind.zip(&mut before) {
            now.clone_from(before);
        }
    }
}

/// Checks the conditions; what was let in before (`old`) may stay.
pub(super) fn check(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::new("status.conditions");
    let was_both = DECISIONS.iter().all(|kind| has(old, kind));
    let mut seen = Vec::new();
    for (at, condition) in new.items("/status/conditions").iter().enumerate() {
        let (kind, status) = (condition.text("/type"), condition.text("/status"));
        let at = path.index(at);
        check::required(errors, &at.child("type"), kind);
        let supported: &[&str] = if matches!(kind, "Approved" | "Denied" | "Failed") {
            &["True"]
        } else {
            &["False", "True", "Unknown"]
        };
        check::required_one_of(errors, &at.child("status"), status, supported);
        let opposite = match kind {
            "Approved" => Some("Denied"),
            "Denied" => Some("Approved"),
            _ => None,
        };
        if !was_both && opposite.is_some_and(|opposite| seen.contains(&opposite)) {
            errors.push(Error::invalid(
                &path,
                kind,
                "Approved and Denied conditions are mutually exclusive",
            ));
        }
        if seen.contains(&kind) {
            errors.push(Error::duplicate(&at.child("type"), kind));
        }
        seen.push(kind);
    }
}
