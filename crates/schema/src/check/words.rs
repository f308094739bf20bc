//! How Go names values and types in its messages.

use serde_json::Value;
use warren_apimachinery::value::go_kind;

use crate::model::{Ref, Schema, Type};

/// What stands in the JSON where a whole number was expected: a number that is none, or does not fit, is quoted.
pub(super) fn got_for_integer(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("number {number}"),
        other => go_kind(other).to_owned(),
    }
}

/// A number as the converter puts it into an integer: it wraps, and takes a float without a fraction.
pub(super) fn converted_integer(value: &Value, is_short: bool) -> Option<i64> {
    const LARGEST: f64 = 9.0e18;
    let whole = value
        .as_f64()
        .filter(|number| number.fract() == 0.0 && number.abs() < LARGEST);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    let number = value.as_i64().or_else(|| whole.map(|number| number as i64))?;
    #[expect(clippy::cast_possible_truncation, reason = "upstream's converter wraps")]
    let short = number as i32;
    Some(if is_short { i64::from(short) } else { number })
}

/// What the converter from unstructured content says of a value that does not fit.
pub(super) fn unconvertible(schema: &Schema, value: &Value, told: Option<&str>) -> String {
    let from = match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    };
    match schema.kind {
        Type::Object if schema.is_struct() => format!("cannot restore struct from: {from}"),
        Type::Object => format!("cannot restore map from {from}"),
        Type::Array => format!("cannot restore slice from {from}"),
        Type::String if schema.format.as_deref() == Some("byte") => {
            format!("cannot restore slice from {from}")
        }
        Type::String if from == "int64" => format!("cannot convert int64 to {}", type_text(schema, told)),
        Type::Integer if from == "float64" => {
            format!("cannot convert float64 to {}", type_text(schema, told))
        }
        Type::String => "unrecognized type: string".to_owned(),
        _ => format!("unrecognized type: {}", type_text(schema, None)),
    }
}

/// The struct that a Go type embeds, for a field that comes from it: Go names it on the way to the field.
pub(super) fn embedded(structure: &str, field: &str) -> Option<&'static str> {
    match structure {
        "Volume" => (field != "name").then_some("VolumeSource"),
        "EphemeralContainer" => (field != "targetContainerName").then_some("EphemeralContainerCommon"),
        "Probe" => matches!(field, "exec" | "grpc" | "httpGet" | "tcpSocket").then_some("ProbeHandler"),
        "PersistentVolumeSpec" => {
            const OWN: [&str; 9] = [
                "accessModes",
                "capacity",
                "claimRef",
                "mountOptions",
                "nodeAffinity",
                "persistentVolumeReclaimPolicy",
                "storageClassName",
                "volumeAttributesClassName",
                "volumeMode",
            ];
            (!OWN.contains(&field)).then_some("PersistentVolumeSource")
        }
        "ConfigMapEnvSource"
        | "ConfigMapKeySelector"
        | "ConfigMapProjection"
        | "ConfigMapVolumeSource"
        | "SecretEnvSource"
        | "SecretKeySelector"
        | "SecretProjection" => (field == "name").then_some("LocalObjectReference"),
        _ => None,
    }
}

/// The Go type that a schema stands for: `told` where the data says so, else derived.
pub(super) fn type_text(schema: &Schema, told: Option<&str>) -> String {
    if let Some(told) = told {
        return told.to_owned();
    }
    let of = |reference: &Option<Ref>| {
        reference
            .as_ref()
            .map_or_else(|| "interface {}".to_owned(), reference_text)
    };
    match schema.kind {
        Type::Object if schema.is_struct() => {
            let go = schema.go.as_ref();
            go.map_or_else(
                || "interface {}".to_owned(),
                |go| format!("{}.{}", go.package, go.name),
            )
        }
        Type::Object => format!("map[string]{}", of(&schema.additional)),
        Type::Array => format!("[]{}", of(&schema.items)),
        Type::String if schema.format.as_deref() == Some("byte") => "[]uint8".to_owned(),
        Type::String => "string".to_owned(),
        Type::Integer if schema.format.as_deref() == Some("int32") => "int32".to_owned(),
        Type::Integer => "int64".to_owned(),
        Type::Number => "float64".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::IntOrString => "intstr.IntOrString".to_owned(),
        Type::Quantity => "resource.Quantity".to_owned(),
        Type::Any => "interface {}".to_owned(),
    }
}

fn reference_text(reference: &Ref) -> String {
    match reference {
        Ref::Inline(schema) => type_text(schema, None),
        Ref::Lazy(source) => type_text(&source.schema(), None),
        Ref::Named(name) => {
            let mut parts = name.rsplit('.');
            let (name, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            format!("{package}.{name}")
        }
    }
}

/// The type of the elements of a list or map type; of a type with a name of its own, nothing better than it.
pub(super) fn element(told: &str) -> &str {
    told.strip_prefix("[]")
        .or_else(|| {
            told.strip_prefix("map[")
                .and_then(|rest| rest.split_once(']'))
                .map(|(_, element)| element)
        })
        .unwrap_or(told)
}
