//! Priority levels: how many requests at once, and how the others wait.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The strategy of priority levels.
pub(crate) struct PriorityLevelConfiguration;

impl Strategy for PriorityLevelConfiguration {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        let is_exempt = object.text("/spec/type") == "Exempt";
        if is_exempt && object.at("/spec/exempt").is_null() {
            object.set(
                "/spec/exempt",
                json!({"nominalConcurrencyShares": 0, "lendablePercent": 0}),
            );
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        let (kind, limited) = (spec.text("/type"), spec.field("limited"));
        let is_named_exempt = object.text("/metadata/name") == "exempt";
        if is_named_exempt != (kind == "Exempt") {
            errors.push(Error::invalid(
                &path.child("type"),
                kind,
                "type must be 'Exempt' if and only if `name` is 'exempt'",
            ));
        }
        match kind {
            "Exempt" if !limited.is_null() => errors.push(Error::forbidden(
                &path.child("limited"),
                "must be nil if the type is not Limited",
            )),
            "Exempt" => shares(&mut errors, &path.child("exempt"), spec.field("exempt")),
            "Limited" if limited.is_null() => errors.push(Error::required(
                &path.child("limited"),
                "must not be empty when type is Limited",
            )),
            "Limited" => self::limited(&mut errors, &path.child("limited"), limited),
            other => check::one_of(&mut errors, &path.child("type"), other, &["Exempt", "Limited"]),
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let limited = object.at("/spec/limited");
        let queuing = limited.at("/limitResponse/queuing");
        let number = |parent: &Value, field: &str| -> Value {
            match parent.field(field) {
                Value::Null => "<none>".into(),
                number => number.clone(),
            }
        };
        vec![
            name(object),
            object.text("/spec/type").into(),
            number(limited, "nominalConcurrencyShares"),
            number(queuing, "queues"),
            number(queuing, "handSize"),
            number(queuing, "queueLengthLimit"),
            age(object, now),
        ]
    }
}

fn shares(errors: &mut Errors, path: &Path, level: &Value) {
    let mut refuse =
        |field: &str, value: i64, why: &str| errors.push(Error::invalid(&path.child(field), value, why));
    if let Some(shares) = level
        .int("/nominalConcurrencyShares")
        .filter(|shares| *shares < 0)
    {
        refuse(
            "nominalConcurrencyShares",
            shares,
            "must be a non-negative integer",
        );
    }
    if let Some(percent) = level
        .int("/lendablePercent")
        .filter(|percent| !(0..=100).contains(percent))
    {
        refuse("lendablePercent", percent, "must be between 0 and 100, inclusive");
    }
}

fn limited(errors: &mut Errors, path: &Path, level: &Value) {
    shares(errors, path, level);
    let (path, queuing) = (path.child("limitResponse"), level.at("/limitResponse/queuing"));
    let queuing_path = path.child("queuing");
    match level.text("/limitResponse/type") {
        "Reject" if !queuing.is_null() => errors.push(Error::forbidden(
            &queuing_path,
            "must be nil if limited.limitResponse.type is not Limited",
        )),
        "Reject" => {}
        "Queue" if queuing.is_null() => errors.push(Error::required(
            &queuing_path,
            "must not be empty if limited.limitResponse.type is Limited",
        )),
        "Queue" => {
            for field in ["queueLengthLimit", "queues", "handSize"] {
                let value = queuing.field(field).as_i64().unwrap_or_default();
                if value <= 0 {
                    errors.push(Error::invalid(
                        &queuing_path.child(field),
                        value,
                        "must be positive",
                    ));
                }
            }
        }
        other => check::one_of(errors, &path.child("type"), other, &["Queue", "Reject"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_exempt_by_name_or_limited() {
        let level = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
        let check = |object: Value, expected: &[&str]| {
            let errors = PriorityLevelConfiguration.validate(&object);
            let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{object}");
        };
        check(level("exempt", json!({"type": "Exempt"})), &[]);
        check(
            level(
                "a",
                json!({"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}),
            ),
            &[],
        );
        check(
            level("a", json!({"type": "Limited"})),
            &["spec.limited: Required value: must not be empty when type is Limited"],
        );
        check(
            level("a", json!({"type": "Exempt"})),
            &[
                "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if `name` is 'exempt'",
            ],
        );
    }
}
