//! Metrics in the form that v1 has for them in an annotation: flat fields where v2 has targets and identifiers.

use serde_json::{Value, json};
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
            ("targetAverageValue", "/target/averageValue"),
            ("selector", "/metric/selector"),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
    (
        "object",
        &[
            ("target", "/describedObject"),
            ("metricName", "/metric/name"),
            ("targetValue", "/target/value"),
            ("selector", "/metric/selector"),
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

/// Fields that v1 always writes.
const ALWAYS: [(&str, &str); 2] = [("object", "targetValue"), ("pods", "targetAverageValue")];

/// Metrics of v2 in v1's form, as text: its fields have an order of their own.
pub(super) fn to_old(metrics: &[Value]) -> String {
    let all: Vec<String> = metrics.iter().map(one_old).collect();
    format!("[{}]", all.join(","))
}

fn one_old(metric: &Value) -> String {
    let mut out = format!("{{\"type\":{}", metric.field("type"));
    for (name, fields) in FIELDS {
        let source = metric.field(name);
        if source.is_null() {
            continue;
        }
        let mut parts = Vec::new();
        for (flat, pointer) in *fields {
            let value = source.at(pointer);
            match (*flat, value) {
                ("target", object) => parts.push(format!("\"target\":{}", reference(object))),
                (_, Value::Null) if ALWAYS.contains(&(*name, *flat)) && source.field("current").is_null() => {
                    parts.push(format!("\"{flat}\":\"0\""));
                }
                (_, Value::Null) => {}
                (flat, value) => parts.push(format!("\"{flat}\":{value}")),
            }
        }
        out.push_str(&format!(",\"{name}\":{{{}}}", parts.join(",")));
    }
    out.push('}');
    out
}

fn reference(object: &Value) -> String {
    let fields = ["kind", "name", "apiVersion"].into_iter();
    let given = fields.filter(|field| !object.field(field).is_null());
    let parts: Vec<String> = given
        .map(|field| format!("\"{field}\":{}", object.field(field)))
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// A metric of v1 in v2's form, the type of its target told from what it gives.
pub(super) fn from_old(metric: &Value) -> Value {
    let mut out = json!({"type": metric.field("type")});
    for (name, fields) in FIELDS {
        let source = metric.field(name);
        if !source.is_null() {
            out.set(&format!("/{name}"), from_fields(source, fields));
        }
    }
    out
}

fn from_fields(source: &Value, fields: &[(&str, &str)]) -> Value {
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
}
