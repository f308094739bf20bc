//! Pod disruption budgets.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::apps::workload::{at_most_all, count_or_percent, counts};
use crate::check::{self, Errors};
use crate::conditions;
use crate::go_literal::go_literal;
use crate::table::{age, columns, name};

const BOUNDS: [&str; 2] = ["minAvailable", "maxUnavailable"];

/// The strategy of pod disruption budgets.
pub(crate) struct PodDisruptionBudget;

impl Strategy for PodDisruptionBudget {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set(
            "/status",
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}),
        );
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        if BOUNDS.iter().all(|field| !spec.field(field).is_null()) {
            let problem = "minAvailable and maxUnavailable cannot be both set";
            let shown = go_literal("PodDisruptionBudgetSpec", spec);
            errors.push(Error::invalid(&path, spec.clone(), problem).shown_as(shown));
        }
        for field in BOUNDS {
            let (path, value) = (path.child(field), spec.field(field));
            if !value.is_null() {
                count_or_percent(&mut errors, &path, value);
                at_most_all(&mut errors, &path, value);
            }
        }
        check::label_selector(&mut errors, &path.child("selector"), spec.field("selector"));
        if let Some(policy) = spec.field("unhealthyPodEvictionPolicy").as_str() {
            check::one_of(
                &mut errors,
                &path.child("unhealthyPodEvictionPolicy"),
                policy,
                &["AlwaysAllow", "IfHealthyBudget"],
            );
        }
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let path = Path::new("status.conditions");
        let mut errors = conditions::check(&path, new.items("/status/conditions"));
        counts(
            &mut errors,
            &Path::new("status"),
            new.field("status"),
            &[
                "disruptionsAllowed",
                "currentHealthy",
                "desiredHealthy",
                "expectedPods",
            ],
        );
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("poddisruptionbudgets.policy")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let bound = |field: &str| match object.field("spec").field(field) {
            Value::Null => "N/A".into(),
            Value::String(text) => text.as_str().into(),
            number => number.to_string().into(),
        };
        let [least, most] = BOUNDS.map(bound);
        vec![
            name(object),
            least,
            most,
            object
                .int("/status/disruptionsAllowed")
                .unwrap_or_default()
                .into(),
            age(object, now),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, expected: &[&str]) {
        let errors = PodDisruptionBudget.validate(&json!({"spec": spec}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{spec}");
    }

    #[test]
    fn one_bound_may_be_given() {
        check(json!({"minAvailable": "50%"}), &[]);
        check(
            json!({"minAvailable": 1, "maxUnavailable": 1}),
            &[
                r#"spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set"#,
            ],
        );
        check(
            json!({"maxUnavailable": "101%"}),
            &["spec.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"],
        );
        check(
            json!({"minAvailable": -1}),
            &["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"],
        );
        check(
            json!({"unhealthyPodEvictionPolicy": "Never"}),
            &[
                "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: \"AlwaysAllow\", \"IfHealthyBudget\"",
            ],
        );
    }
}
