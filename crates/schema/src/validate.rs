//! Validation of custom resources against their schema, worded as upstream words it.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::model::{ListType, Ref, Schema, Type};
use crate::rules::{Bound, Rules};

mod formats;

impl Schema {
    /// Checks `value`, which stands at `path`, against all that the schema says about values. Metadata is not
    /// looked at: decoding did.
    pub fn validate(&self, value: &Value, path: &Path) -> Vec<Error> {
        let mut errors = Vec::new();
        node(self, value, path, &mut errors);
        errors
    }
}

fn node(schema: &Schema, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if let Some(expected) = type_mismatch(schema, value) {
        let got = type_name(value);
        let why = format!("{} must be of type {expected}: {got:?}", in_body(path));
        errors.push(Error::type_invalid(path, got, why));
        return;
    }
    allowed(schema, value, path, errors);
    if let Some(rules) = &schema.rules {
        scalar(rules, value, path, errors);
        combined(rules, value, path, errors);
    }
    match value {
        Value::String(text) => {
            if let Some(format) = schema
                .format
                .as_deref()
                .filter(|format| !formats::is_valid(format, text))
            {
                let why = format!("{} must be of type {format}: {text:?}", in_body(path));
                errors.push(Error::type_invalid(path, text.as_str(), why));
            }
        }
        Value::Object(_) => object(schema, value, path, errors),
        Value::Array(items) => list(schema, items, path, errors),
        _ => {}
    }
}

fn object(schema: &Schema, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    for name in &schema.required {
        if value.get(name.as_str()).is_none() {
            errors.push(Error::required(&path.child(name), ""));
        }
    }
    if schema.embedded && !path.as_str().is_empty() {
        for name in ["apiVersion", "kind"] {
            if value.field(name).as_str().unwrap_or_default().is_empty() {
                errors.push(Error::required(&path.child(name), "must not be empty"));
            }
        }
    }
    for (name, child) in value.as_object().into_iter().flatten() {
        match schema.field(name) {
            Some(Ref::Named(_)) | None => {}
            Some(field) => node(&field.get(), child, &path.child(name), errors),
        }
    }
}

fn list(schema: &Schema, items: &[Value], path: &Path, errors: &mut Vec<Error>) {
    if let Some(element) = &schema.items {
        let element = element.get();
        for (index, item) in items.iter().enumerate() {
            node(&element, item, &path.index(index), errors);
        }
    }
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let identity = match &schema.list {
            ListType::Atomic => return,
            ListType::Set => item.clone(),
            ListType::Map(keys) => {
                let of = |key: &smol_str::SmolStr| Some((key.to_string(), item.get(key.as_str())?.clone()));
                Value::Object(keys.iter().filter_map(of).collect())
            }
        };
        if !seen.insert(identity.to_string()) {
            errors.push(Error::duplicate(&path.index(index), identity));
        }
    }
}

fn type_mismatch(schema: &Schema, value: &Value) -> Option<&'static str> {
    let is_whole = || value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0);
    let (fits, expected) = match schema.kind {
        Type::Any => (true, ""),
        Type::Object => (value.is_object(), "object"),
        Type::Array => (value.is_array(), "array"),
        Type::String => (value.is_string(), "string"),
        Type::Integer => (is_whole(), "integer"),
        Type::Number => (value.is_number(), "number"),
        Type::Boolean => (value.is_boolean(), "boolean"),
        Type::IntOrString | Type::Quantity => (value.is_string() || is_whole(), "integer,string"),
    };
    (!fits).then_some(expected)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn allowed(schema: &Schema, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    if schema.allowed.is_empty() || schema.allowed.contains(value) {
        return;
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let supported: Vec<String> = schema.allowed.iter().map(text).collect();
    let supported: Vec<&str> = supported.iter().map(String::as_str).collect();
    errors.push(Error::not_supported(path, value.clone(), &supported));
}

fn scalar(rules: &Rules, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    match value {
        Value::Number(_) => number(rules, value, path, errors),
        Value::String(text) => string(rules, text, path, errors),
        Value::Array(items) => {
            let length = items.len();
            if rules.min_items.is_some_and(|least| (length as u64) < least) {
                let why = format!(
                    "{} should have at least {} items",
                    in_body(path),
                    rules.min_items.unwrap_or_default()
                );
                errors.push(Error::invalid(path, length, why));
            }
            if let Some(most) = rules.max_items.filter(|most| length as u64 > *most) {
                errors.push(Error::too_many(path, length, most as usize));
            }
        }
        Value::Object(map) => {
            let length = map.len();
            if let Some(least) = rules.min_properties.filter(|least| (length as u64) < *least) {
                let why = format!("{} should have at least {least} properties", in_body(path));
                errors.push(Error::invalid(path, length, why));
            }
            if let Some(most) = rules.max_properties.filter(|most| length as u64 > *most) {
                errors.push(Error::too_many(path, length, most as usize));
            }
        }
        _ => {}
    }
}

fn number(rules: &Rules, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    let Some(number) = value.as_f64() else {
        return;
    };
    let mut refuse = |why: String| {
        errors.push(Error::invalid(
            path,
            value.clone(),
            format!("{} {why}", in_body(path)),
        ))
    };
    let is_beyond = |bound: &Bound, distance: f64| distance > 0.0 || (bound.exclusive && distance == 0.0);
    if let Some(bound) = rules
        .maximum
        .filter(|bound| is_beyond(bound, number - bound.value))
    {
        let or_equal = if bound.exclusive { "" } else { " or equal to" };
        refuse(format!("should be less than{or_equal} {}", plain(bound.value)));
    }
    if let Some(bound) = rules
        .minimum
        .filter(|bound| is_beyond(bound, bound.value - number))
    {
        let or_equal = if bound.exclusive { "" } else { " or equal to" };
        refuse(format!("should be greater than{or_equal} {}", plain(bound.value)));
    }
    if let Some(factor) = rules
        .multiple_of
        .filter(|factor| *factor > 0.0 && (number / factor).fract() != 0.0)
    {
        refuse(format!("should be a multiple of {}", plain(factor)));
    }
}

fn string(rules: &Rules, text: &str, path: &Path, errors: &mut Vec<Error>) {
    let length = text.chars().count() as u64;
    if let Some(most) = rules.max_length.filter(|most| length > *most) {
        let mut error = Error::too_long(path, 0);
        error.detail = format!("may not be more than {most} characters");
        errors.push(error);
    }
    let mut refuse =
        |why: String| errors.push(Error::invalid(path, text, format!("{} {why}", in_body(path))));
    if let Some(least) = rules.min_length.filter(|least| length < *least) {
        refuse(format!("should be at least {least} chars long"));
    }
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        refuse(format!("should match '{}'", pattern.text()));
    }
}

fn combined(rules: &Rules, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    let holds = |schema: &Schema| {
        let mut found = Vec::new();
        node(schema, value, path, &mut found);
        found.is_empty()
    };
    // Upstream reports combined schemas at the object, with the path in the text.
    let mut refuse = |what: &str| {
        let why = format!("{:?} {what}", path.as_str());
        errors.push(Error::invalid(&Path::root(), "", why));
    };
    if !rules.any_of.is_empty() && !rules.any_of.iter().any(|schema| holds(schema)) {
        refuse("must validate at least one schema (anyOf)");
    }
    if !rules.one_of.is_empty() {
        match rules.one_of.iter().filter(|schema| holds(schema)).count() {
            0 => refuse("must validate one and only one schema (oneOf). Found none valid"),
            1 => {}
            many => refuse(&format!(
                "must validate one and only one schema (oneOf). Found {many} valid alternatives"
            )),
        }
    }
    if rules.not.as_ref().is_some_and(|schema| holds(schema)) {
        refuse("must not validate the schema (not)");
    }
    // Looked at once: nested `allOf`s would else cost twice as much at each level.
    let mut found = Vec::new();
    for schema in &rules.all_of {
        node(schema, value, path, &mut found);
    }
    if !found.is_empty() {
        refuse("must validate all the schemas (allOf)");
        errors.append(&mut found);
    }
}

/// How upstream begins its sentences.
fn in_body(path: &Path) -> String {
    format!("{} in body", path.as_str())
}

/// Go's `%v` of a number: without a fraction where there is none.
fn plain(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::custom::from_json_schema;

    #[track_caller]
    fn check(field: Value, value: Value, expect: &[&str]) {
        let schema =
            json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": field}}}});
        let schema = from_json_schema(&schema).unwrap();
        let errors = schema.validate(&json!({"spec": {"n": value}}), &Path::root());
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn words_its_refusals_as_upstream_does() {
        let int = json!({"type": "integer", "minimum": 1, "maximum": 5});
        check(int.clone(), json!(3), &[]);
        check(int.clone(), json!(3.0), &[]);
        check(
            int.clone(),
            json!(9),
            &["spec.n: Invalid value: 9: spec.n in body should be less than or equal to 5"],
        );
        check(
            int.clone(),
            json!(0),
            &["spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1"],
        );
        check(
            int.clone(),
            json!("x"),
            &[r#"spec.n: Invalid value: "string": spec.n in body must be of type integer: "string""#],
        );
        check(
            int,
            Value::Null,
            &[r#"spec.n: Invalid value: "null": spec.n in body must be of type integer: "null""#],
        );
        check(json!({"type": "string", "nullable": true}), Value::Null, &[]);
        check(
            json!({"type": "string", "enum": ["b", "a"]}),
            json!("c"),
            &[r#"spec.n: Unsupported value: "c": supported values: "b", "a""#],
        );
        check(
            json!({"type": "string", "minLength": 3, "maxLength": 1, "pattern": "^a+$"}),
            json!("bb"),
            &[
                "spec.n: Too long: may not be more than 1 characters",
                r#"spec.n: Invalid value: "bb": spec.n in body should be at least 3 chars long"#,
                r#"spec.n: Invalid value: "bb": spec.n in body should match '^a+$'"#,
            ],
        );
        check(
            json!({"type": "array", "minItems": 1, "items": {"type": "string"}}),
            json!([]),
            &["spec.n: Invalid value: 0: spec.n in body should have at least 1 items"],
        );
        check(
            json!({"type": "array", "maxItems": 1, "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!(["a", "a"]),
            &[
                "spec.n: Too many: 2: must have at most 1 item",
                r#"spec.n[1]: Duplicate value: "a""#,
            ],
        );
        check(
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items":
                {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}}),
            json!([{"k": "a"}, {"k": "a"}, {}]),
            &[
                "spec.n[2].k: Required value",
                r#"spec.n[1]: Duplicate value: {"k":"a"}"#,
            ],
        );
        check(
            json!({"type": "string", "format": "date-time"}),
            json!("x"),
            &[r#"spec.n: Invalid value: "x": spec.n in body must be of type date-time: "x""#],
        );
        check(
            json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            json!("25%"),
            &[],
        );
        check(
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({}),
            &[
                r#"<nil>: Invalid value: "": "spec.n" must validate one and only one schema (oneOf). Found none valid"#,
            ],
        );
    }

    #[test]
    fn nested_combinations_cost_no_more_than_their_size() {
        let mut schema = json!({"minimum": 5});
        for _ in 0..40 {
            schema = json!({"allOf": [schema]});
        }
        schema["type"] = json!("integer");
        let schema = json!({"type": "object", "properties": {"n": schema}});
        let schema = from_json_schema(&schema).unwrap();
        assert_eq!(schema.validate(&json!({"n": 1}), &Path::root()).len(), 41);
    }

    #[test]
    fn defaults_nested_fields_of_a_custom_resource() {
        let schema = from_json_schema(&json!({"type": "object", "properties": {"spec": {"type": "object", "default": {},
            "properties": {"n": {"type": "integer", "default": 3}, "m": {"type": "string", "nullable": true, "default": "x"},
                "l": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}}}}}}))
        .unwrap();
        let mut value = json!({});
        schema.default(&mut value);
        assert_eq!(value, json!({"spec": {"n": 3, "m": "x"}}));
        let mut value = json!({"spec": {"n": null, "m": null, "l": [{}, {"p": "UDP"}]}});
        schema.default(&mut value);
        schema.complete(&mut value);
        assert_eq!(
            value,
            json!({"spec": {"n": 3, "m": null, "l": [{"p": "TCP"}, {"p": "UDP"}]}})
        );
    }

    proptest! {
        #[test]
        fn any_schema_is_compiled_or_refused(kind in "object|array|string|", key in "items|properties|default|enum|pattern|anyOf|required",
            value in prop_oneof![Just(json!({})), Just(json!([])), Just(json!("[")), Just(json!({"a": {"type": "object"}})), Just(json!([{}]))]) {
            let raw = json!({"type": "object", "properties": {"f": {"type": kind, key: value}}});
            if let Ok(schema) = from_json_schema(&raw) {
                for mut instance in [json!({"f": {}}), json!({"f": [1, null]}), json!({"f": "x"}), json!(1)] {
                    schema.check(&mut instance);
                    schema.default(&mut instance);
                    let _ = schema.validate(&instance, &Path::root());
                }
            }
        }
    }
}
