//! Priority levels: how many requests at once, and how the others wait.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::{EXEMPT, mandatory, rules};
use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const POSITIVE: &str = "must be positive";
const QUEUES_MAX: i64 = 10_000_000;
const HASH_BITS: i64 = 60;
/// Of an older version, where zero shares could not be told from none.
const ROUND_TRIP: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

/// The strategy of priority levels.
pub(crate) struct PriorityLevelConfiguration;

impl Strategy for PriorityLevelConfiguration {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        let fill = |object: &mut Value, at: &str, fields: &[(&str, i64)]| {
            for (field, value) in fields {
                if object.at(at).int(&format!("/{field}")).is_none() {
                    object.set(&format!("{at}/{field}"), *value);
                }
            }
        };
        if object.at("/spec/exempt").is_object() {
            let fields = [("nominalConcurrencyShares", 0), ("lendablePercent", 0)];
            fill(object, "/spec/exempt", &fields);
        }
        if object.at("/spec/limited").is_object() {
            let fields = [("nominalConcurrencyShares", 30), ("lendablePercent", 0)];
            fill(object, "/spec/limited", &fields);
        }
        const QUEUING: &str = "/spec/limited/limitResponse/queuing";
        if object.at(QUEUING).is_object() {
            for (field, value) in [("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)] {
                let pointer = format!("{QUEUING}/{field}");
                if object.int(&pointer).unwrap_or_default() == 0 {
                    object.set(&pointer, value);
                }
            }
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        if !object.at("/metadata/annotations").field(ROUND_TRIP).is_null() {
            errors.push(Error::forbidden(
                &Path::new("metadata.annotations"),
                format!("annotation '{ROUND_TRIP}' is forbidden"),
            ));
        }
        spec(&mut errors, object.text("/metadata/name"), object.field("spec"));
        mandatory::priority_level(&mut errors, object);
        errors.extend(rules::conditions(object));
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        rules::conditions(new)
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

fn spec(errors: &mut Errors, own_name: &str, spec: &Value) {
    let path = Path::new("spec");
    let (kind, limited, exempt) = (spec.text("/type"), spec.field("limited"), spec.field("exempt"));
    if (own_name == EXEMPT) != (kind == "Exempt") {
        errors.push(Error::invalid(
            &path.child("type"),
            kind,
            "must be 'Exempt' if and only if `name` is 'exempt'",
        ));
    }
    match kind {
        "Exempt" => {
            if !limited.is_null() {
                errors.push(Error::forbidden(
                    &path.child("limited"),
                    "must be nil if the type is not Limited",
                ));
            }
            shares(errors, &path.child("exempt"), exempt);
            lendable(errors, &path.child("exempt"), exempt);
        }
        "Limited" => {
            if !exempt.is_null() {
                errors.push(Error::forbidden(
                    &path.child("exempt"),
                    "must be nil if the type is Limited",
                ));
            }
            self::limited(errors, &path.child("limited"), limited);
        }
        other => check::one_of(errors, &path.child("type"), other, &["Exempt", "Limited"]),
    }
}

fn shares(errors: &mut Errors, path: &Path, level: &Value) {
    let shares = level
        .int("/nominalConcurrencyShares")
        .filter(|shares| *shares < 0);
    if let Some(shares) = shares {
        let path = path.child("nominalConcurrencyShares");
        errors.push(Error::invalid(&path, shares, "must be a non-negative integer"));
    }
}

fn lendable(errors: &mut Errors, path: &Path, level: &Value) {
    let percent = level
        .int("/lendablePercent")
        .filter(|percent| !(0..=100).contains(percent));
    if let Some(percent) = percent {
        let path = path.child("lendablePercent");
        errors.push(Error::invalid(
            &path,
            percent,
            "must be between 0 and 100, inclusive",
        ));
    }
}

fn limited(errors: &mut Errors, path: &Path, level: &Value) {
    if level.is_null() {
        errors.push(Error::required(path, "must not be empty when type is Limited"));
        return;
    }
    shares(errors, path, level);
    response(errors, &path.child("limitResponse"), level.field("limitResponse"));
    lendable(errors, path, level);
    if let Some(percent) = level.int("/borrowingLimitPercent").filter(|percent| *percent < 0) {
        errors.push(Error::invalid(
            &path.child("borrowingLimitPercent"),
            percent,
            "if specified, must be a non-negative integer",
        ));
    }
}

fn response(errors: &mut Errors, path: &Path, response: &Value) {
    let (queuing_path, queuing) = (path.child("queuing"), response.field("queuing"));
    match response.text("/type") {
        "Reject" if !queuing.is_null() => errors.push(Error::forbidden(
            &queuing_path,
            "must be nil if limited.limitResponse.type is not Limited",
        )),
        "Reject" => {}
        "Queue" if queuing.is_null() => errors.push(Error::required(
            &queuing_path,
            "must not be empty if limited.limitResponse.type is Limited",
        )),
        "Queue" => self::queuing(errors, &queuing_path, queuing),
        other => check::one_of(errors, &path.child("type"), other, &["Queue", "Reject"]),
    }
}

fn queuing(errors: &mut Errors, path: &Path, queuing: &Value) {
    let number = |field: &str| queuing.field(field).as_i64().unwrap_or_default();
    let (length, queues, hand) = (number("queueLengthLimit"), number("queues"), number("handSize"));
    let mut refuse =
        |field: &str, value: i64, why: String| errors.push(Error::invalid(&path.child(field), value, why));
    if length <= 0 {
        refuse("queueLengthLimit", length, POSITIVE.to_owned());
    }
    if queues <= 0 {
        refuse("queues", queues, POSITIVE.to_owned());
    } else if queues > QUEUES_MAX {
        refuse("queues", queues, format!("must not be greater than {QUEUES_MAX}"));
    }
    if hand <= 0 {
        refuse("handSize", hand, POSITIVE.to_owned());
    } else if hand > queues {
        refuse(
            "handSize",
            hand,
            format!("should not be greater than queues ({queues})"),
        );
    } else if entropy_bits(queues, hand) > HASH_BITS {
        refuse(
            "handSize",
            hand,
            format!(
                "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}"
            ),
        );
    }
}

/// How many bits it takes to deal a hand of queues.
fn entropy_bits(queues: i64, hand: i64) -> i64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "both are far below 2^52, and so is the product"
    )]
    let bits = ((queues as f64).log2() * hand as f64).ceil() as i64;
    bits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
            &["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'"],
        );
    }
}
