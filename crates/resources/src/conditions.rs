//! Conditions of the shape that many kinds share (`metav1.Condition`).

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self as checks, Errors};

const REASON_MAX: usize = 1024;
const MESSAGE_MAX: usize = 32 * 1024;
const REASON: &str = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/// What is wrong with a list of conditions, each type of which may stand once.
pub(crate) fn check(path: &Path, conditions: &[Value]) -> Errors {
    let mut errors = Errors::new();
    let mut seen = HashSet::new();
    for (at, condition) in conditions.iter().enumerate() {
        let (path, kind) = (path.index(at), condition.text("/type"));
        if !seen.insert(kind) {
            errors.push(Error::duplicate(&path.child("type"), kind));
        }
        one(&mut errors, &path, condition);
    }
    errors
}

fn one(errors: &mut Errors, path: &Path, condition: &Value) {
    checks::qualified_name(errors, &path.child("type"), condition.text("/type"));
    checks::one_of(
        errors,
        &path.child("status"),
        condition.text("/status"),
        &["False", "True", "Unknown"],
    );
    if let Some(number) = condition.int("/observedGeneration").filter(|number| *number < 0) {
        errors.push(Error::invalid(
            &path.child("observedGeneration"),
            number,
            "must be greater than or equal to zero",
        ));
    }
    let changed = condition.text("/lastTransitionTime");
    checks::required(errors, &path.child("lastTransitionTime"), changed);
    reason(errors, &path.child("reason"), condition.text("/reason"));
    if condition.text("/message").len() > MESSAGE_MAX {
        errors.push(Error::too_long(&path.child("message"), MESSAGE_MAX));
    }
}

fn reason(errors: &mut Errors, path: &Path, reason: &str) {
    if !checks::required(errors, path, reason) {
        return;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | ':');
    let is_valid = reason.starts_with(|c: char| c.is_ascii_alphabetic())
        && reason.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && reason.chars().all(is_plain);
    if !is_valid {
        errors.push(Error::invalid(path, reason, REASON));
    }
    if reason.len() > REASON_MAX {
        errors.push(Error::too_long(path, REASON_MAX));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_a_condition_lacks() {
        let condition = json!({"type": "a b", "status": "Odd", "reason": "-"});
        let errors = super::check(&Path::new("c"), &[condition]);
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "c[0].type",
                "c[0].status",
                "c[0].lastTransitionTime",
                "c[0].reason"
            ]
        );
    }
}
