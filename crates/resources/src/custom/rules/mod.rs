//! `x-kubernetes-validations`: the rules of a custom resource, compiled when they are first needed and kept
//! beside the compiled schema, for all tenants whose schema is the same.

mod compile;
mod evaluate;
mod field_path;
mod message;
mod tree;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

pub(crate) use compile::{Compiled, Expressions};
pub(super) use evaluate::evaluate;
pub(crate) use evaluate::evaluate_value;
pub(crate) use field_path::{Brackets, resolve};
pub(crate) use tree::Node;

/// Whether a schema has rules, at whatever depth. Those within `allOf` do not count: upstream looks at them only where
/// there are others.
pub(crate) fn has_rules(schema: &Value) -> bool {
    if !schema.items("/x-kubernetes-validations").is_empty() {
        return true;
    }
    let children = schema.field("properties").as_object().into_iter().flatten();
    children
        .map(|(_, child)| child)
        .chain([schema.field("items"), schema.field("additionalProperties")])
        .any(|child| child.is_object() && has_rules(child))
}

#[cfg(test)]
mod tests;
