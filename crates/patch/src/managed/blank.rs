//! An object before its creation: the empty value of a built-in kind's type.

use serde_json::{Map, Value};
use warren_schema::Schema;

/// The structs below one another that are looked into; no built-in kind has as many before a list or map.
const MAX_DEPTH: usize = 8;

/// What upstream compares a created object with: the empty value of the Go type, which has the fields that
/// are never left out. A custom resource starts from nothing.
pub(crate) fn blank(schema: &Schema) -> Value {
    fields(schema, MAX_DEPTH)
}

fn fields(schema: &Schema, depth: usize) -> Value {
    let mut out = Map::new();
    for (name, zero) in schema.go.iter().flat_map(|go| &go.always) {
        let value = match schema.properties.get(name) {
            Some(field) if zero.is_object() && depth > 0 => fields(&field.get(), depth - 1),
            _ => zero.clone(),
        };
        out.insert(name.to_string(), value);
    }
    Value::Object(out)
}
