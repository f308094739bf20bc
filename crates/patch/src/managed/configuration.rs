//! Merging a configuration into an object without looking at who owns what: the apply configurations of
//! mutating admission policies.

use serde_json::Value;
use warren_schema::Schema;

use super::element::PathElement;
use super::shape::Shape;
use super::{merge, validate};

/// Merges `configuration`, of the same kind and version, into `object`, as an apply would, and takes nothing out.
///
/// # Errors
/// Upstream's words, where the configuration does not fit its schema, where it sets what can be set as a whole
/// only, and where a list of either can't be merged.
pub fn merge_configuration(schema: &Schema, object: &Value, configuration: &Value) -> Result<Value, String> {
    if let Some(why) = validate::check(schema, configuration) {
        return Err(format!("failed to convert patch object to typed object: {why}"));
    }
    let shape = Shape::object(schema);
    let mut atomics = Vec::new();
    find_atomics(&shape, configuration, "", &mut atomics);
    if !atomics.is_empty() {
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {}",
            atomics.join(", ")
        ));
    }
    let mut merged = object.clone();
    merge::merge(&shape, &mut merged, configuration)
        .map_err(|why| format!("failed to merge patch: {why}"))?;
    merge::drop_nulls(&shape, &mut merged);
    Ok(merged)
}

/// The ways to lists, maps and structs that are set as a whole: a policy that sets one would take away, without
/// its author knowing, what others put there. As upstream's search, it does not look into maps.
fn find_atomics(shape: &Shape<'_>, value: &Value, way: &str, found: &mut Vec<String>) {
    if (value.is_object() || value.is_array()) && shape.is_atomic() {
        found.push(way.to_owned());
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let child = shape.child(name);
                if child.is_declared() {
                    find_atomics(&child.shape, value, &format!("{way}.{name}"), found);
                }
            }
        }
        Value::Array(items) => {
            let shape = shape.items();
            for (at, item) in items.iter().enumerate() {
                let at = PathElement::Index(i64::try_from(at).unwrap_or_default());
                find_atomics(&shape, item, &format!("{way}{at}"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::deployment;

    fn check(configuration: Value, expect: Result<Value, &str>) {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {
            "containers": [{"name": "a", "image": "a"}]}}}});
        let merged = merge_configuration(&deployment(), &object, &configuration);
        assert_eq!(
            merged.map(|merged| merged["spec"].clone()),
            expect.map_err(str::to_owned),
            "{configuration}"
        );
    }

    #[test]
    fn lists_are_merged_by_their_keys_and_nothing_is_taken_out() {
        check(
            json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "b"}, {"name": "a", "ports": [{"containerPort": 1}]}]}}}}),
            Ok(
                json!({"replicas": 2, "template": {"spec": {"containers": [{"name": "b"}, {"name": "a", "image": "a", "ports": [{"containerPort": 1}]}]}}}),
            ),
        );
    }

    #[test]
    fn what_does_not_fit_or_is_atomic_is_refused() {
        check(
            json!({"spec": {"nothing": 1}}),
            Err(
                "failed to convert patch object to typed object: .spec.nothing: field not declared in schema",
            ),
        );
        check(
            json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
            Err("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"),
        );
    }
}
