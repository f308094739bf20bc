//! An object before its creation: the empty value of a built-in kind's type.

use serde_json::{Map, Value};
use warren_schema::{Ref, Schema, Type};

use super::shape::resolve;

/// The structs below one another that are looked into; no built-in kind has as many before a list or map.
const MAX_DEPTH: usize = 8;

/// What upstream compares a created object with: the empty value of the Go type, which has the fields that
/// are never left out. A custom resource starts from nothing.
pub(crate) fn blank(schema: &Schema) -> Value {
    fields(schema, MAX_DEPTH)
}

fn fields(schema: &Schema, depth: usize) -> Value {
    let mut out = Map::new();
    for (name, reference) in &schema.properties {
        let required = schema.required.contains(name);
        if let Some(value) = field(reference, required, depth) {
            out.insert(name.to_string(), value);
        }
    }
    Value::Object(out)
}

/// Structs are always there, and so is what must be: as null where it is a list, a map or a scalar.
fn field(reference: &Ref, required: bool, depth: usize) -> Option<Value> {
    let schema = resolve(reference)?;
    let is_struct = schema.kind == Type::Object && !schema.properties.is_empty();
    let always = schema
        .default
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty);
    if is_struct && (always || required) && depth > 0 {
        return Some(fields(&schema, depth - 1));
    }
    required.then_some(Value::Null)
}
