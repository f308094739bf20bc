//! From the `openAPIV3Schema` of a CustomResourceDefinition to a [`Schema`].
//!
//! The schema must be structural, as upstream demands; what it may not say is refused field by field. Its
//! rules (`x-kubernetes-validations`) are evaluated by `resources`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::compile::{list_type, map_type, texts};
use crate::model::{ListType, Ref, Schema, Type};
use crate::rules::Rules;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Where a schema stands, which decides what it must say.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Field,
    Item,
    /// Below `allOf`, `anyOf`, `oneOf` or `not`: only values are validated.
    Nested,
}

/// Compiles a structural schema.
///
/// # Errors
/// What is not structural, with paths below the schema itself.
pub fn from_json_schema(schema: &Value) -> Result<Arc<Schema>, Vec<Error>> {
    from_json_schema_at(schema, &Path::root())
}

/// Compiles a structural schema that stands at `path`, such as `spec.versions[0].schema.openAPIV3Schema`.
///
/// # Errors
/// What is not structural.
pub fn from_json_schema_at(schema: &Value, path: &Path) -> Result<Arc<Schema>, Vec<Error>> {
    let mut reader = Reader::default();
    let mut root = reader.schema(schema, path, Place::Root);
    // Whatever the CRD says, objects have these three.
    embed(&mut root);
    if reader.errors.is_empty() {
        Ok(Arc::new(root))
    } else {
        Err(reader.errors)
    }
}

/// Compiles what a schema that was found to be structural says of values, such as its own default.
pub fn value_schema(schema: &Value) -> Schema {
    Reader::default().schema(schema, &Path::root(), Place::Field)
}

/// What is wrong with a regular expression; `None` if nothing is.
pub fn pattern_fault(text: &str) -> Option<String> {
    crate::rules::Pattern::new(text).fault()
}

/// Gives a schema the fields that all objects have.
fn embed(schema: &mut Schema) {
    if schema.embedded {
        return;
    }
    let text = Ref::Inline(Arc::new(Schema::of(Type::String)));
    schema.embedded = true;
    let meta = Ref::Named(OBJECT_META.into());
    let own = [("apiVersion", text.clone()), ("kind", text), ("metadata", meta)];
    let said: BTreeMap<SmolStr, Ref> = own
        .into_iter()
        .filter_map(|(name, field)| Some((name.into(), schema.properties.insert(name.into(), field)?)))
        .collect();
    schema.restricted = (!said.is_empty()).then(|| Box::new(said));
}

#[derive(Default)]
struct Reader {
    errors: Vec<Error>,
    /// Plain scalars, of which large schemas have thousands alike: one for each type, format and nullability.
    scalars: HashMap<(SmolStr, SmolStr, bool), Arc<Schema>>,
}

impl Reader {
    fn schema(&mut self, raw: &Value, path: &Path, place: Place) -> Schema {
        let is = |key: &str| raw.field(key).as_bool().unwrap_or_default();
        let preserve_unknown = is("x-kubernetes-preserve-unknown-fields");
        let is_int_or_string = is("x-kubernetes-int-or-string");
        let kind = match raw.text("/type") {
            _ if is_int_or_string => Type::IntOrString,
            "object" => Type::Object,
            "array" => Type::Array,
            "string" => Type::String,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            _ => Type::Any,
        };
        self.check_type(raw, path, place, preserve_unknown || is_int_or_string);
        self.check_unsupported(raw, path);
        let mut schema = Schema {
            required: texts(raw.field("required")),
            list: list_type(raw),
            map: map_type(raw),
            default: raw.get("default").filter(|default| !default.is_null()).cloned(),
            nullable: is("nullable"),
            preserve_unknown: preserve_unknown || (kind == Type::Any && place == Place::Nested),
            format: raw.field("format").as_str().map(SmolStr::new),
            allowed: raw.items("/enum").into(),
            ..Schema::of(kind)
        };
        self.children(raw, path, place, &mut schema);
        self.rules(raw, path, &mut schema);
        if is("x-kubernetes-embedded-resource") {
            embed(&mut schema);
        }
        schema
    }

    fn field(&mut self, raw: &Value, path: &Path, place: Place) -> Arc<Schema> {
        const PLAIN: [&str; 4] = ["description", "type", "format", "nullable"];
        let is_plain = raw
            .as_object()
            .is_some_and(|raw| raw.keys().all(|key| PLAIN.contains(&key.as_str())));
        let is_scalar = matches!(raw.text("/type"), "string" | "integer" | "number" | "boolean");
        if !is_plain || !is_scalar {
            return Arc::new(self.schema(raw, path, place));
        }
        let nullable = raw.field("nullable").as_bool().unwrap_or_default();
        let key = (
            SmolStr::new(raw.text("/type")),
            SmolStr::new(raw.text("/format")),
            nullable,
        );
        if let Some(known) = self.scalars.get(&key) {
            return Arc::clone(known);
        }
        let schema = Arc::new(self.schema(raw, path, place));
        self.scalars.insert(key, Arc::clone(&schema));
        schema
    }

    fn children(&mut self, raw: &Value, path: &Path, place: Place, schema: &mut Schema) {
        let below = |place_below| {
            if place == Place::Nested {
                Place::Nested
            } else {
                place_below
            }
        };
        for (name, child) in raw.field("properties").as_object().into_iter().flatten() {
            let at = path.child("properties").key(name);
            let child = self.field(child, &at, below(Place::Field));
            schema.properties.insert(SmolStr::new(name), Ref::Inline(child));
        }
        let at = path.child("additionalProperties");
        match raw.field("additionalProperties") {
            Value::Null => {}
            // Upstream drops the fields of objects that it has no schema for.
            Value::Bool(true) => {
                schema.additional = Some(Ref::Inline(Arc::new(Schema {
                    preserve_unknown: place == Place::Nested,
                    ..Schema::of(Type::Any)
                })));
            }
            // Unknown fields are dropped anyway.
            Value::Bool(false) => {}
            child => {
                if !schema.properties.is_empty() {
                    let why = "additionalProperties and properties are mutual exclusive";
                    self.errors.push(Error::forbidden(&at, why));
                }
                let child = self.schema(child, &at, below(Place::Field));
                schema.additional = Some(Ref::Inline(Arc::new(child)));
            }
        }
        let at = path.child("items");
        match raw.field("items") {
            Value::Object(_) => {
                let child = self.schema(raw.field("items"), &at, below(Place::Item));
                schema.items = Some(Ref::Inline(Arc::new(child)));
            }
            Value::Array(_) => {
                let why = "items must be a schema object and not an array";
                self.errors.push(Error::forbidden(&at, why));
            }
            _ if schema.kind == Type::Array && place != Place::Nested => {
                self.errors.push(Error::required(&at, "must be specified"));
            }
            _ => {}
        }
    }

    fn rules(&mut self, raw: &Value, path: &Path, schema: &mut Schema) {
        let mut rules = Rules::of(raw);
        rules.all_of = self.combined(raw, path, "allOf");
        rules.any_of = self.combined(raw, path, "anyOf");
        rules.one_of = self.combined(raw, path, "oneOf");
        if let not @ Value::Object(_) = raw.field("not") {
            rules.not = Some(Arc::new(self.schema(not, &path.child("not"), Place::Nested)));
        }
        if let Some((pattern, fault)) = rules.pattern.as_ref().and_then(|p| Some((p, p.fault()?))) {
            let why = format!("must be a valid regular expression, but isn't: {fault}");
            self.errors
                .push(Error::invalid(&path.child("pattern"), pattern.text(), why));
        }
        if !rules.is_empty() {
            schema.rules = Some(Box::new(rules));
        }
    }

    fn combined(&mut self, raw: &Value, path: &Path, key: &str) -> Box<[Arc<Schema>]> {
        let all = raw.field(key).as_array().map(Vec::as_slice).unwrap_or_default();
        let at = path.child(key);
        let schemas = all.iter().enumerate();
        schemas
            .map(|(index, raw)| Arc::new(self.schema(raw, &at.index(index), Place::Nested)))
            .collect()
    }

    fn check_type(&mut self, raw: &Value, path: &Path, place: Place, may_be_empty: bool) {
        const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
        let at = path.child("type");
        let kind = raw.text("/type");
        match (place, kind) {
            (Place::Root, "") => self
                .errors
                .push(Error::required(&at, "must not be empty at the root")),
            (Place::Root, kind) if kind != "object" => {
                self.errors
                    .push(Error::invalid(&at, kind, "must be object at the root"));
            }
            (Place::Field, "") if !may_be_empty => {
                self.errors.push(Error::required(
                    &at,
                    "must not be empty for specified object fields",
                ));
            }
            (Place::Item, "") if !may_be_empty => {
                self.errors.push(Error::required(
                    &at,
                    "must not be empty for specified array items",
                ));
            }
            (_, "") => {}
            (_, kind) if !TYPES.contains(&kind) => self.errors.push(Error::not_supported(&at, kind, &TYPES)),
            _ => {}
        }
        if let ListType::Map(keys) = list_type(raw)
            && keys.is_empty()
        {
            let why = "must not be empty if x-kubernetes-list-type is map";
            self.errors
                .push(Error::required(&path.child("x-kubernetes-list-map-keys"), why));
        }
    }

    fn check_unsupported(&mut self, raw: &Value, path: &Path) {
        for key in [
            "$ref",
            "definitions",
            "dependencies",
            "patternProperties",
            "additionalItems",
            "id",
        ] {
            if raw.get(key).is_some_and(|value| !value.is_null()) {
                let why = format!("{key} is not supported");
                self.errors.push(Error::forbidden(&path.child(key), why));
            }
        }
        if raw.field("uniqueItems").as_bool() == Some(true) {
            let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.errors
                .push(Error::forbidden(&path.child("uniqueItems"), why));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refuses_what_is_not_structural() {
        let schema = json!({"type": "object", "properties": {
            "a": {}, "b": {"type": "array"}, "c": {"type": "text"}, "d": {"type": "string", "pattern": "("},
            "f": {"$ref": "#/x", "type": "object"},
            "g": {"x-kubernetes-int-or-string": true}, "h": {"x-kubernetes-preserve-unknown-fields": true}}});
        let errors = from_json_schema(&schema).unwrap_err();
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 5, "{said:#?}");
        assert_eq!(
            said[0],
            "properties[a].type: Required value: must not be empty for specified object fields"
        );
        assert_eq!(said[1], "properties[b].items: Required value: must be specified");
        assert!(
            said[2]
                .starts_with(r#"properties[c].type: Unsupported value: "text": supported values: "array""#)
        );
        assert!(said[3].starts_with(r#"properties[d].pattern: Invalid value: "(": must be a valid regular"#));
        assert_eq!(said[4], "properties[f].$ref: Forbidden: $ref is not supported");
        let root = from_json_schema(&json!({})).unwrap_err();
        assert_eq!(
            root[0].to_string(),
            "type: Required value: must not be empty at the root"
        );
    }
}
