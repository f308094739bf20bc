//! Filling in what a schema says about absent fields.

use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::model::{Ref, Schema, Type};

/// What is filled in.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    /// Defaults, and the structs they stand in.
    Defaults,
    /// What upstream's encoder writes for unset fields.
    Zeros,
}

impl Schema {
    /// Fills in the defaults of absent fields (and of `null` ones that are not nullable), recursively.
    ///
    /// For built-in kinds these are only the defaults that upstream gives wherever the type occurs
    /// (`data/defaults.json` and the markers in `data/definitions.tsv`); the structs that upstream always
    /// writes (`metadata`, `spec`, `status`, `resources`, …) are made on the way. Defaults that depend on other
    /// fields are the strategy's.
    pub fn default(&self, value: &mut Value) {
        fill(self, value, Fill::Defaults);
    }

    /// Fills in what upstream's encoder writes for unset fields of a built-in kind: `""`, `0`, `false`, `{}`,
    /// and `null` for lists and pointers (`"rules": null`). To be called last, when defaulting and admission
    /// are done, so that they still tell unset from empty. Does nothing for custom resources.
    pub fn complete(&self, value: &mut Value) {
        fill(self, value, Fill::Zeros);
    }
}

fn fill(schema: &Schema, value: &mut Value, what: Fill) {
    match value {
        Value::Object(map) => fill_object(schema, map, what),
        Value::Array(items) => {
            if let Some(element) = schema.items.as_ref().filter(|element| is_worth(element)) {
                let element = element.get();
                for item in items {
                    fill_null(&element, item, what);
                    fill(&element, item, what);
                }
            }
        }
        _ => {}
    }
}

fn fill_object(schema: &Schema, map: &mut Map<String, Value>, what: Fill) {
    if let Some(go) = &schema.go {
        for (name, zero) in &go.always {
            let is_struct = zero.is_object();
            match map.get_mut(name.as_str()) {
                None if is_struct || what == Fill::Zeros => {
                    map.insert(name.to_string(), zero.clone());
                }
                // Protobuf, in which upstream keeps objects, does not tell an empty list from none.
                Some(Value::Array(items)) if what == Fill::Zeros && zero.is_null() && items.is_empty() => {
                    map.insert(name.to_string(), Value::Null);
                }
                _ => {}
            }
        }
    }
    if what == Fill::Defaults {
        for (name, field) in &schema.properties {
            if let Ref::Inline(field) = field {
                fill_field(schema, name, field, map);
            }
        }
        for (name, field) in schema.restricted.iter().flat_map(|said| said.iter()) {
            fill_field(schema, name, &field.get(), map);
        }
    }
    for (name, child) in map.iter_mut() {
        let Some(field) = schema.field(name) else {
            continue;
        };
        if child.is_object() || child.is_array() {
            fill(&field.get(), child, what);
            // What a definition says of embedded metadata besides.
            if let Some(said) = schema.restricted.as_ref().and_then(|all| all.get(name.as_str())) {
                fill(&said.get(), child, what);
            }
        } else if child.is_null() && !schema.properties.contains_key(name.as_str()) {
            let field = field.get();
            fill_null(&field, child, what);
            fill(&field, child, what);
        }
    }
}

/// A null in a list or a map that may hold none becomes the default of the elements.
fn fill_null(schema: &Schema, value: &mut Value, what: Fill) {
    if what == Fill::Defaults
        && value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        *value = default.clone();
    }
}

fn fill_field(parent: &Schema, name: &SmolStr, field: &Schema, map: &mut Map<String, Value>) {
    let Some(default) = &field.default else {
        return;
    };
    let is_absent = match map.get(name.as_str()) {
        None => true,
        // An explicit null of a nullable field is a value; a default of null changes nothing.
        Some(Value::Null) => !field.nullable,
        Some(_) => false,
    };
    // Upstream's encoder would drop it again.
    let is_dropped =
        crate::check::is_empty(default) && parent.go.as_ref().is_some_and(|go| go.droppable.contains(name));
    if is_absent && !is_dropped {
        map.insert(name.to_string(), default.clone());
    }
}

/// Whether elements can have anything to fill in.
fn is_worth(element: &Ref) -> bool {
    match element {
        Ref::Named(_) | Ref::Lazy(_) => true,
        Ref::Inline(schema) => {
            schema.default.is_some() || matches!(schema.kind, Type::Object | Type::Array | Type::Any)
        }
    }
}
