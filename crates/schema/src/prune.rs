//! Decoding of custom resources: unknown fields are named and dropped, metadata is decoded as a built-in's.

use serde_json::{Map, Value};

use crate::check::{self, Checked};
use crate::model::{Ref, Schema, Type};

/// Prunes a custom resource in place. Unknown fields are named in upstream's order: those of the metadata, then
/// those that the schema does not have, then those of embedded metadata.
pub(crate) fn prune(schema: &Schema, value: &mut Value) -> Checked {
    let mut pruning = Pruning::default();
    pruning.node(schema, value, "");
    let Pruning {
        mut metadata,
        mut pruned,
        embedded,
    } = pruning;
    pruned.sort_unstable();
    let fields = pruned.iter().map(|path| format!("unknown field \"{path}\""));
    metadata.unknown.extend(fields);
    metadata.unknown.extend(embedded.unknown);
    metadata.unknown.truncate(check::MAX_UNKNOWN);
    metadata.type_error = metadata.type_error.or(embedded.type_error);
    metadata
}

#[derive(Default)]
struct Pruning {
    /// What is wrong with the metadata.
    metadata: Checked,
    /// The paths of what the schema does not have.
    pruned: Vec<String>,
    /// What is wrong with the metadata of embedded objects.
    embedded: Checked,
}

impl Pruning {
    fn node(&mut self, schema: &Schema, value: &mut Value, path: &str) {
        match value {
            Value::Object(map) if matches!(schema.kind, Type::Object | Type::Any) => {
                self.object(schema, map, path);
            }
            Value::Array(items) => {
                let Some(element) = &schema.items else {
                    return;
                };
                let element = element.get();
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(&element, item, &format!("{path}[{index}]"));
                }
            }
            Value::Number(number) if number.is_f64() => {
                // Go writes a float without a fraction as a whole number.
                if let Some(whole) = check::whole(number) {
                    *value = whole.into();
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, schema: &Schema, map: &mut Map<String, Value>, path: &str) {
        map.retain(|name, value| {
            let at = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match schema.field(name) {
                Some(Ref::Named(_)) if value.is_null() => false,
                Some(Ref::Named(_)) => {
                    let found = if path.is_empty() {
                        &mut self.metadata
                    } else {
                        &mut self.embedded
                    };
                    check::check_at(&check::object_meta(), value, &at, found);
                    true
                }
                Some(field) => {
                    self.node(&field.get(), value, &at);
                    true
                }
                None if schema.preserve_unknown || schema.kind == Type::Any => true,
                None => {
                    self.pruned.push(at);
                    false
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::custom::from_json_schema;

    #[test]
    fn drops_unknown_fields_except_where_they_may_stay() {
        let schema = from_json_schema(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "known": {"type": "string"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "properties": {"strict": {"type": "object", "properties": {}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "inner": {"type": "object", "x-kubernetes-embedded-resource": true}}}}}))
        .unwrap();
        let mut value = json!({"apiVersion": "ex.io/v1", "kind": "Foo", "extra": 1,
            "metadata": {"name": "a", "nope": 1, "creationTimestamp": null},
            "spec": {"known": "a", "x": 1, "free": {"y": {"z": 1}, "strict": {"w": 1}}, "map": {"k": {"a": "b", "c": 1}},
                "list": [{"a": "b", "c": 1}],
                "inner": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}, "spec": {}}}});
        let checked = schema.check(&mut value);
        assert_eq!(
            value,
            json!({"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": "a"},
                "spec": {"known": "a", "free": {"y": {"z": 1}, "strict": {}}, "map": {"k": {"a": "b"}},
                    "list": [{"a": "b"}],
                    "inner": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}}}})
        );
        assert_eq!(
            checked.unknown,
            [
                "metadata.nope",
                "extra",
                "spec.free.strict.w",
                "spec.inner.spec",
                "spec.list[0].c",
                "spec.map.k.c",
                "spec.x"
            ]
            .map(|path| format!("unknown field \"{path}\""))
        );
        let mut bad = json!({"metadata": {"labels": {"a": 1}}});
        assert_eq!(
            schema.check(&mut bad).type_error.as_deref(),
            Some("json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string")
        );
    }
}
