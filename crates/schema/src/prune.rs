//! Decoding of custom resources: unknown fields are named and dropped, metadata is decoded as a built-in's.

use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};

use crate::check::{self, Checked, Decoder};
use crate::model::{Ref, Schema, Type};

/// Prunes a custom resource in place. Unknown fields are named in upstream's order: those of the metadata, then
/// those that the schema does not have, then those of embedded metadata.
pub(crate) fn prune(schema: &Schema, value: &mut Value, decoder: Decoder) -> Checked {
    let mut pruning = Pruning {
        keeps_nulls: decoder == Decoder::Converter,
        ..Pruning::default()
    };
    pruning.node(Some(schema), value, "", Unknown::Go);
    let Pruning {
        mut metadata,
        mut pruned,
        embedded,
        ..
    } = pruning;
    pruned.sort_unstable();
    let fields = pruned.iter().map(|path| format!("unknown field \"{path}\""));
    metadata.unknown.extend(fields);
    metadata.unknown.extend(embedded.unknown);
    metadata.unknown.truncate(check::MAX_UNKNOWN);
    metadata.type_error = metadata.type_error.or(embedded.type_error);
    metadata
}

/// What becomes of fields that the schema does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Go,
    Stay,
}

#[derive(Default)]
struct Pruning {
    /// What is wrong with the metadata.
    metadata: Checked,
    /// The paths of what the schema does not have.
    pruned: Vec<String>,
    /// What is wrong with the metadata of embedded objects.
    embedded: Checked,
    /// Nulls are left where they may not be, for validation to refuse.
    keeps_nulls: bool,
}

impl Pruning {
    fn node(&mut self, schema: Option<&Schema>, value: &mut Value, path: &str, unknown: Unknown) {
        // A type that does not fit is validation's to refuse; upstream prunes by the schema all the same.
        let unknown = if schema.is_some_and(|schema| schema.preserve_unknown) {
            Unknown::Stay
        } else {
            unknown
        };
        match value {
            Value::Object(map) => self.object(schema, map, path, unknown),
            Value::Array(items) => {
                let element = schema.and_then(|schema| schema.items.as_ref()).map(Ref::get);
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(element.as_deref(), item, &format!("{path}[{index}]"), unknown);
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

    fn object(
        &mut self,
        schema: Option<&Schema>,
        map: &mut Map<String, Value>,
        path: &str,
        unknown: Unknown,
    ) {
        map.retain(|name, value| {
            let at = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match schema.and_then(|schema| schema.field(name)) {
                Some(Ref::Named(_)) if value.is_null() && path.is_empty() => false,
                Some(Ref::Named(_)) => {
                    self.metadata(value, &at, path.is_empty());
                    true
                }
                Some(field) => {
                    let field = field.get();
                    let is_type = !path.is_empty()
                        && schema.is_some_and(|schema| schema.embedded)
                        && matches!(name.as_str(), "apiVersion" | "kind");
                    if is_type && !value.is_string() {
                        self.mistype(value, &at);
                    }
                    if value.is_null()
                        && !self.keeps_nulls
                        && !field.nullable
                        && field.default.is_none()
                        && !is_free(&field)
                    {
                        return false;
                    }
                    self.node(Some(&field), value, &at, Unknown::Go);
                    true
                }
                None if unknown == Unknown::Stay => {
                    self.node(None, value, &at, Unknown::Stay);
                    true
                }
                None => {
                    self.pruned.push(at);
                    false
                }
            }
        });
    }

    fn metadata(&mut self, value: &mut Value, at: &str, is_own: bool) {
        let schema = check::object_meta();
        if is_own {
            return check::check_at(&schema, value, at, &mut self.metadata);
        }
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        let before = value.clone();
        let mut found = Checked::default();
        check::check_at(&schema, value, at, &mut found);
        self.embedded.unknown.extend(found.unknown);
        if let Some(why) = found.type_error {
            let error = Error::invalid(&Path::new(at), before, why);
            self.embedded.type_error.get_or_insert_with(|| error.to_string());
        }
    }

    fn mistype(&mut self, value: &Value, at: &str) {
        let error = Error::invalid(&Path::new(at), value.clone(), "must be a string");
        self.embedded.type_error.get_or_insert_with(|| error.to_string());
    }
}

/// Whether a schema stands for the values of a map of which nothing is said: upstream has none for them.
fn is_free(schema: &Schema) -> bool {
    schema.kind == Type::Any && !schema.preserve_unknown
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
