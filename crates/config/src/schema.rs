//! The JSON schema of a `vcluster.yaml`: of the types alone for the check, and with the table's rows for editors. A test
//! makes the CustomResourceDefinition's of it, too.

#[cfg(test)]
mod structural;

use schemars::SchemaGenerator;
use serde_json::{Number, json};
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;

use crate::VirtualClusterSpec;
use crate::check::{Class, Row, rows};

/// The schema of what has a type.
pub(crate) fn of_types() -> Value {
    SchemaGenerator::default()
        .into_root_schema_for::<VirtualClusterSpec>()
        .to_value()
}

/// The schema that editors use: the types, and what is ignored or refused with the reason.
pub fn for_editors() -> Value {
    let mut schema = of_types();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), "vcluster.yaml, as Warren reads it".into());
    }
    for row in rows() {
        add(&mut schema, row);
    }
    schema
}

fn add(schema: &mut Value, row: &Row) {
    let mut pointer = String::new();
    for (at, key) in row.path.iter().enumerate() {
        let target = schema
            .at(&pointer)
            .text("/$ref")
            .strip_prefix('#')
            .map(str::to_owned);
        if let Some(target) = target {
            pointer = target;
        }
        let Some(node) = schema.pointer_mut(&pointer).and_then(Value::as_object_mut) else {
            return;
        };
        let properties = node.entry("properties").or_insert_with(|| json!({}));
        let Some(properties) = properties.as_object_mut() else {
            return;
        };
        let below = properties.entry(*key).or_insert_with(|| json!({}));
        if at + 1 == row.path.len() {
            let how = if row.class == Class::Ignored {
                "Ignored"
            } else {
                "Refused"
            };
            *below = match std::mem::take(below) {
                Value::Object(mut known) => {
                    known.insert("description".to_owned(), format!("{how}: {}.", row.words).into());
                    known.insert("deprecated".to_owned(), true.into());
                    Value::Object(known)
                }
                other => other,
            };
        }
        pointer = format!("{pointer}/properties/{key}");
    }
}

/// Follows references, and leaves `null` aside: what is `null` is not set.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    loop {
        if let Some(target) = schema.text("/$ref").strip_prefix('#') {
            schema = root.at(target);
            continue;
        }
        let of = schema
            .items("/anyOf")
            .iter()
            .find(|one| one.text("/type") != "null");
        match of {
            Some(one) => schema = one,
            None => return schema,
        }
    }
}

/// Whether anything may stand there.
pub(crate) fn is_free(schema: &Value) -> bool {
    schema.as_bool() == Some(true) || (choices(schema).is_none() && kind(schema).is_empty())
}

/// The values that may stand there, if they are listed.
pub(crate) fn choices(schema: &Value) -> Option<Vec<&Value>> {
    let listed = schema.items("/enum");
    if !listed.is_empty() {
        return Some(listed.iter().collect());
    }
    let mut choices = Vec::new();
    for one in schema.items("/oneOf") {
        match one.get("const") {
            Some(constant) => choices.push(constant),
            None => choices.extend(one.items("/enum")),
        }
    }
    (!choices.is_empty()).then_some(choices)
}

/// `object`, `array`, `string`, `boolean`, `integer`; empty when it is not said.
pub(crate) fn kind(schema: &Value) -> &str {
    match schema.field("type") {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or_default(),
        _ => "",
    }
}

/// The names that a map of fixed fields has.
pub(crate) fn properties(schema: &Value) -> impl Iterator<Item = &str> {
    schema
        .field("properties")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
}

/// The schema of a map's entry.
pub(crate) fn property<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let named = schema.field("properties").get(key);
    named.or_else(|| {
        schema
            .get("additionalProperties")
            .filter(|values| values.as_bool() != Some(false))
    })
}

/// What is wrong with a number.
pub(crate) fn complaint(schema: &Value, number: &Number) -> Option<String> {
    let Some(whole) = number.as_i64() else {
        return Some(format!("must be a whole number, not {number}"));
    };
    let bound = |name: &str| schema.field(name).as_i64();
    let (least, most) = match schema.text("/format") {
        "int32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let (least, most) = (
        bound("minimum").unwrap_or(least),
        bound("maximum").unwrap_or(most),
    );
    (!(least..=most).contains(&whole)).then(|| format!("must be between {least} and {most}, not {whole}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with a committed file; `UPDATE_EXPECT=1` writes it.
    #[track_caller]
    fn committed(name: &str, made: &Value) {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{}\n", serde_json::to_string_pretty(made).unwrap());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stands = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stands == text,
            "{name} is not what the types say; UPDATE_EXPECT=1 writes it"
        );
    }

    #[test]
    fn the_committed_schema_is_what_the_types_and_the_table_say() {
        committed("vcluster.schema.json", &for_editors());
    }

    #[test]
    fn the_spec_of_the_committed_definition_is_what_the_types_say() {
        let mut crd = crate::crd::custom_resource_definition();
        let spec = crd
            .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
            .unwrap();
        *spec = structural::spec();
        committed("src/crd.json", &crd);
    }

    #[test]
    fn every_row_of_the_table_reaches_the_schema_of_editors() {
        let schema = for_editors();
        for row in rows() {
            let mut node = &schema;
            for key in &row.path {
                node = property(resolve(&schema, node), key).unwrap_or(&Value::Null);
            }
            assert!(node.text("/description").contains(row.words), "{:?}", row.path);
        }
    }
}
