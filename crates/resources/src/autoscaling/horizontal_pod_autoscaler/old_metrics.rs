//! Metrics in the form that v1 has for them in an annotation: flat fields where v2 has targets and identifiers.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

/// Which field of v2 a field of v1 stands for, in each source.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "resource",
        &[
            ("name", "/name"),
            ("targetAverageUtilization", "/target/averageUtilization"),
            ("targetAverageValue", "/target/averageValue"),
            ("currentAverageUtilization", "/current/averageUtilization"),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", "/name"),
            ("targetAverageUtilization", "/target/averageUtilization"),
            ("targetAverageValue", "/target/averageValue"),
            ("container", "/container"),
            ("currentAverageUtilization", "/current/averageUtilization"),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", "/metric/name"),
            ("selector", "/metric/selector"),
            ("targetAverageValue", "/target/averageValue"),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
    (
        "object",
        &[
            ("target", "/describedObject"),
            ("metricName", "/metric/name"),
            ("selector", "/metric/selector"),
            ("targetValue", "/target/value"),
            ("averageValue", "/target/averageValue"),
            ("currentValue", "/current/value"),
        ],
    ),
    (
        "external",
        &[
            ("metricName", "/metric/name"),
            ("metricSelector", "/metric/selector"),
            ("targetValue", "/target/value"),
            ("targetAverageValue", "/target/averageValue"),
            ("currentValue", "/current/value"),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
];

/// A metric of v2 in v1's form.
pub(super) fn to_old(metric: &Value) -> Value {
    convert(metric, |source, fields| {
        let mut old = Map::new();
        for (flat, pointer) in fields {
            let value = source.at(pointer);
            if !value.is_null() {
                old.insert((*flat).to_owned(), value.clone());
            }
        }
        Value::Object(old)
    })
}

/// A metric of v1 in v2's form, the type of its target told from what it gives.
pub(super) fn from_old(metric: &Value) -> Value {
    convert(metric, |source, fields| {
        let mut new = json!({});
        for (flat, pointer) in fields {
            let value = source.field(flat);
            let is_nothing = matches!(*flat, "targetValue" | "currentValue") && value == "0";
            if !value.is_null() && !is_nothing {
                new.set(pointer, value.clone());
            }
        }
        let has = |field: &str| !new.field("target").field(field).is_null();
        let kind = match () {
            () if has("averageUtilization") => "Utilization",
            () if has("averageValue") => "AverageValue",
            () => "Value",
        };
        if new.field("target").is_object() {
            new.set("/target/type", kind);
        }
        new
    })
}

fn convert(metric: &Value, source: impl Fn(&Value, &[(&str, &str)]) -> Value) -> Value {
    let mut out = json!({"type": metric.field("type")});
    for (name, fields) in FIELDS {
        let given = metric.field(name);
        if !given.is_null() {
            out.set(&format!("/{name}"), source(given, fields));
        }
    }
    out
}
