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
