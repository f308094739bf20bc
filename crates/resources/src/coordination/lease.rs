//! Leases.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The strategy of leases.
pub(crate) struct Lease;

impl Strategy for Lease {
    fn traits(&self) -> Traits {
        Traits {
            create_on_update: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        if let Some(seconds) = spec.int("/leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
            errors.push(Error::invalid(
                &path.child("leaseDurationSeconds"),
                seconds,
                "must be greater than 0",
            ));
        }
        check::not_negative(
            &mut errors,
            &path.child("leaseTransitions"),
            spec.field("leaseTransitions"),
        );
        strategy(&mut errors, &path, spec);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("leases.coordination.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.text("/spec/holderIdentity").into(),
            age(object, now),
        ]
    }
}

/// How the holder is chosen, for leases that a coordinator hands out.
fn strategy(errors: &mut Errors, path: &Path, spec: &Value) {
    let strategy = spec.field("strategy");
    if let Some(text) = strategy.as_str() {
        // Upstream's path has it twice.
        let path = path.child("strategy.strategy");
        if text.contains('/') {
            check::qualified_name(errors, &path, text);
        } else {
            check::one_of(errors, &path, text, &["OldestEmulationVersion"]);
        }
    }
    let is_chosen = strategy.as_str().is_some_and(|text| !text.is_empty());
    if !spec.text("/preferredHolder").is_empty() && !is_chosen {
        errors.push(Error::forbidden(
            &path.child("preferredHolder"),
            "may only be specified if `strategy` is defined",
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_and_counts_are_checked() {
        let errors = Lease.validate(
            &json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1, "preferredHolder": "x"}}),
        );
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
                "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
            ]
        );
    }
}
