//! Priority classes.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The highest that users may give.
const USER_MAX: i64 = 1_000_000_000;
const SYSTEM: [(&str, i64); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];

/// The strategy of priority classes.
pub(crate) struct PriorityClass;

impl Strategy for PriorityClass {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    // It starts to count and never goes on.
    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/metadata/generation", 1);
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let value = object.int("/value").unwrap_or_default();
        if object.text("/metadata/name").starts_with("system-") {
            if let Err(why) = known(object, value) {
                errors.push(Error::forbidden(
                    &Path::new("metadata.name"),
                    format!("priority class names with 'system-' prefix are reserved for system use only. error: {why}"),
                ));
            }
        } else if value > USER_MAX {
            errors.push(Error::forbidden(
                &Path::new("value"),
                format!("maximum allowed value of a user defined priority is {USER_MAX}"),
            ));
        }
        if let Some(policy) = object.field("preemptionPolicy").as_str() {
            check::required_one_of(
                &mut errors,
                &Path::new("preemptionPolicy"),
                policy,
                &["PreemptLowerPriority", "Never"],
            );
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        if !check::same(new.field("value"), old.field("value")) {
            errors.push(Error::forbidden(
                &Path::new("value"),
                "may not be changed in an update.",
            ));
        }
        check::immutable(
            &mut errors,
            &Path::new("preemptionPolicy"),
            new.field("preemptionPolicy"),
            old.field("preemptionPolicy"),
        );
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("priorityclasses.scheduling.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.int("/value").unwrap_or_default().into(),
            (object.field("globalDefault").as_bool() == Some(true)).into(),
            age(object, now),
            object.text("/preemptionPolicy").into(),
        ]
    }
}

/// Whether it is one of the system's own, unchanged.
fn known(object: &Value, value: i64) -> Result<(), String> {
    let own_name = object.text("/metadata/name");
    let Some((_, expected)) = SYSTEM.iter().find(|(known, _)| *known == own_name) else {
        return Err(format!("{own_name} is not a known system priority class"));
    };
    if value != *expected {
        return Err(format!("value of {own_name} PriorityClass must be {expected}"));
    }
    if object.field("globalDefault").as_bool() == Some(true) {
        return Err(format!("globalDefault of {own_name} PriorityClass must be false"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(class: Value, expected: &[&str]) {
        let errors = PriorityClass.validate_create(&class);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{class}");
    }

    #[test]
    fn the_systems_classes_are_the_highest() {
        check(json!({"metadata": {"name": "a"}, "value": 1000}), &[]);
        check(
            json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
            &[],
        );
        check(
            json!({"metadata": {"name": "a"}, "value": 1_000_000_001}),
            &["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        );
        check(
            json!({"metadata": {"name": "system-mine"}, "value": 1}),
            &[
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
            ],
        );
        let errors = PriorityClass.validate_update(&json!({"value": 2}), &json!({"value": 1}));
        assert_eq!(
            errors[0].to_string(),
            "value: Forbidden: may not be changed in an update."
        );
    }
}
