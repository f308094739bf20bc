//! Leases.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const COORDINATED: [&str; 2] = ["/spec/strategy", "/spec/preferredHolder"];

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

    // `CoordinatedLeaderElection` is off: how a coordinator chooses the holder is dropped.
    fn prepare_for_create(&self, object: &mut Value) {
        for field in COORDINATED {
            object.take_at(field);
        }
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        for field in COORDINATED {
            if old.at(field).is_null() {
                new.take_at(field);
            }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_and_counts_are_checked() {
        let errors = Lease.validate(&json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ]
        );
    }
}
