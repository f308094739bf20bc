//! Defaults: each must be what its schema allows, and make an object that can be read.

use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_schema::{Schema, value_schema};

use super::structural::children;
use crate::check::Errors;
use crate::custom::embedded;
use crate::custom::rules::{Node, evaluate_value, has_rules};

/// What the rules of all defaults of a schema may cost together.
const BUDGET: u64 = 10_000_000;
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Checks the defaults of a structural schema.
pub(super) fn check(errors: &mut Errors, path: &Path, schema: &Value) {
    let mut checker = Checker { errors, left: BUDGET };
    checker.node(path, schema, &Place::root(schema));
}

/// Where a schema stands within the object that it is a part of.
#[derive(Clone)]
struct Place<'a> {
    /// The schema of that object.
    object: &'a Value,
    /// The steps from the object down to here; an empty one is of a list.
    steps: Vec<&'a str>,
    /// It is a part of what the API itself says of objects.
    in_meta: bool,
}

impl<'a> Place<'a> {
    fn root(object: &'a Value) -> Self {
        Self {
            object,
            steps: Vec::new(),
            in_meta: false,
        }
    }

    fn below(&self, step: &'a str, in_meta: bool) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self {
            steps,
            in_meta,
            ..self.clone()
        }
    }

    /// The least object that has `value` here.
    fn surround(&self, value: &Value) -> Value {
        let steps = self.steps.iter().rev();
        let mut object = steps.fold(value.clone(), |value, step| match *step {
            "" => Value::Array(vec![value]),
            name => Value::Object(Map::from_iter([(name.to_owned(), value)])),
        });
        for (field, value) in [("kind", "Validation"), ("apiVersion", "validation/v1")] {
            if object.get(field).is_none() {
                object.set(&format!("/{field}"), value);
            }
        }
        object
    }
}

struct Checker<'e> {
    errors: &'e mut Errors,
    /// What is left of the budget of rules.
    left: u64,
}

impl Checker<'_> {
    fn node(&mut self, path: &Path, schema: &Value, place: &Place<'_>) {
        let is_root = place.steps.is_empty();
        let is_object = is_root || is_embedded(schema);
        let own = if is_object && !is_root {
            Place::root(schema)
        } else {
            place.clone()
        };
        if !schema.field("default").is_null() {
            let before = self.errors.len();
            self.one(&path.child("default"), schema, &own);
            if self.left == 0 && self.errors.len() > before {
                return;
            }
        }
        // Below additional properties no default is looked at.
        for (below, _, child) in children(schema) {
            let name = below
                .as_str()
                .strip_prefix("properties[")
                .and_then(|name| name.strip_suffix(']'));
            match name {
                Some(name) => {
                    let in_meta = own.in_meta || (is_object && META.contains(&name));
                    // The name lives as long as the schema: it is a key of it.
                    let keys = schema.field("properties").as_object();
                    let key = keys.and_then(|keys| keys.keys().find(|key| *key == name));
                    let step = key.map_or("*", String::as_str);
                    self.node(&path.child(below.as_str()), child, &own.below(step, in_meta));
                }
                None if below.as_str() == "items" => {
                    self.node(&path.child("items"), child, &own.below("", own.in_meta));
                }
                None => {}
            }
        }
    }

    fn one(&mut self, path: &Path, schema: &Value, place: &Place<'_>) {
        let default = schema.field("default");
        let compiled = value_schema(schema);
        let found = if place.in_meta {
            in_meta(path, default, place)
        } else {
            self.unknown(path, schema, place);
            object_faults(path, default, &object_schema(schema, place.steps.is_empty()))
        };
        if !found.is_empty() {
            return self.errors.extend(found);
        }
        let found = compiled.validate(default, path);
        if found.is_empty() {
            self.rules(path, schema, place);
        }
        self.errors.extend(found);
    }

    fn unknown(&mut self, path: &Path, schema: &Value, place: &Place<'_>) {
        let default = schema.field("default");
        let is_object = place.steps.is_empty();
        if has_unknown(schema, default, (is_object, false)) {
            let why = "must not have unknown fields";
            self.errors.push(Error::invalid(path, default.clone(), why));
        }
    }

    /// The rules must hold of the default whether it was there before or not.
    fn rules(&mut self, path: &Path, schema: &Value, place: &Place<'_>) {
        if !has_rules(schema) {
            return;
        }
        let Some(node) = Node::of_value(schema, place.steps.is_empty()) else {
            return;
        };
        let default = schema.field("default");
        let mut left = self.left;
        let mut found = evaluate_value(&node, path, default, Some(default), &mut left);
        if found.is_empty() {
            let mut left_when_new = self.left;
            found = evaluate_value(&node, path, default, None, &mut left_when_new);
            left = left.min(left_when_new);
        }
        self.left = left;
        self.errors.extend(found);
    }
}

fn is_embedded(schema: &Value) -> bool {
    schema.field("x-kubernetes-embedded-resource").as_bool() == Some(true)
}

/// A schema, as of an object with metadata where it is one.
fn object_schema(schema: &Value, is_object: bool) -> Schema {
    if is_object && !is_embedded(schema) {
        let mut schema = schema.clone();
        schema.set("/x-kubernetes-embedded-resource", true);
        return value_schema(&schema);
    }
    value_schema(schema)
}

/// A default within metadata: whether the object that has it could be read.
fn in_meta(path: &Path, default: &Value, place: &Place<'_>) -> Errors {
    let object = place.surround(default);
    let found = object_faults(&Path::root(), &object, &object_schema(place.object, true));
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    let why = match texts.as_slice() {
        [] => return Errors::new(),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let why = format!("must result in valid metadata: {why}");
    vec![Error::invalid(path, default.clone(), why)]
}

fn object_faults(path: &Path, value: &Value, schema: &Schema) -> Errors {
    match embedded::unreadable(schema, value, path) {
        Some(error) => vec![error],
        None => embedded::validate_at(schema, value, path),
    }
}

/// Whether pruning would take something out of a value, which may itself be an object, and where unknown fields may
/// stay.
fn has_unknown(schema: &Value, value: &Value, (is_object, stays): (bool, bool)) -> bool {
    let stays = stays || schema.field("x-kubernetes-preserve-unknown-fields").as_bool() == Some(true);
    let has_meta = is_object || is_embedded(schema);
    let additional = schema.field("additionalProperties");
    match value {
        Value::Object(map) => map.iter().any(|(name, value)| {
            let property = schema.field("properties").field(name);
            if has_meta && META.contains(&name.as_str()) {
                false
            } else if property.is_object() {
                has_unknown(property, value, (false, false))
            } else if additional.is_object() || additional.as_bool() == Some(true) {
                has_unknown(additional, value, (false, false))
            } else {
                !stays
            }
        }),
        Value::Array(items) => {
            let schema = schema.field("items");
            items.iter().any(|item| has_unknown(schema, item, (false, stays)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_defaults(property: Value, expect: &[&str]) {
        let schema = json!({"type": "object", "properties": {"a": property}});
        let mut errors = Errors::new();
        check(&mut errors, &Path::new("s"), &schema);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn a_default_is_of_its_schema_and_makes_objects_that_can_be_read() {
        let object = |name: Value| {
            json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true,
                "properties": {"metadata": {"type": "object", "properties": {"name": name}}}})
        };
        check_defaults(object(json!({"type": "string", "default": "ok"})), &[]);
        check_defaults(
            object(json!({"type": "string", "default": "%"})),
            &[
                r#"s.properties[a].properties[metadata].properties[name].default: Invalid value: "%": must result in valid metadata: metadata.name: Invalid value: "%": may not contain '%'"#,
            ],
        );
        check_defaults(
            json!({"type": "object", "properties": {"b": {"type": "string"}}, "default": {"c": 1}}),
            &[r#"s.properties[a].default: Invalid value: {"c":1}: must not have unknown fields"#],
        );
        check_defaults(
            json!({"type": "string", "default": "x", "x-kubernetes-validations": [{"rule": "self == 'y'"}]}),
            &[r#"s.properties[a].default: Invalid value: "x": failed rule: self == 'y'"#],
        );
    }
}
