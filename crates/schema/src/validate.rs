//! Validation of custom resources against their schema, in upstream's order and words.
//!
//! Does not own what a schema says beyond values: lists that are sets or maps ([`crate::list_types`]), metadata, and
//! rules.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};

use self::kept::Kept;
use self::outcome::Outcome;
use crate::model::{Ref, Schema, Type};

mod combined;
pub(crate) mod formats;
pub(crate) mod kept;
mod outcome;
mod scalars;

impl Schema {
    /// Checks `value` against all that the schema says about values. Errors stand at and below `root`, and call
    /// fields by their path below `value`, as upstream does of a status.
    pub fn validate(&self, value: &Value, root: &Path) -> Vec<Error> {
        let mut walk = Walk::below(root);
        walk.node(self, value, None).into_errors()
    }

    /// The same of a change: what was wrong before and has not changed is let be.
    pub fn validate_change(self: &Arc<Self>, new: &Value, old: &Value, root: &Path) -> Vec<Error> {
        let mut walk = Walk::below(root);
        let kept = Kept::new(new, old, Arc::clone(self));
        walk.value(self, new, Some(kept)).into_errors()
    }
}

/// Where the validator stands.
struct Walk<'p> {
    /// Where the value stands that is checked.
    root: &'p Path,
    /// The path below it, as upstream writes it.
    path: String,
}

impl<'p> Walk<'p> {
    fn below(root: &'p Path) -> Self {
        Self {
            root,
            path: String::new(),
        }
    }
}

impl Walk<'_> {
    /// Where an error of the value stands.
    fn at(&self) -> Path {
        self.at_path(&self.path)
    }

    fn at_path(&self, path: &str) -> Path {
        match path.strip_prefix('.').unwrap_or(path) {
            "" => self.root.clone(),
            below => self.root.child(below),
        }
    }

    /// Refuses a value in upstream's sentence.
    fn refuse(&self, outcome: &mut Outcome, value: impl Into<Value>, why: &str) {
        let why = format!("{} in body {why}", self.path);
        outcome.add(Error::invalid(&self.at(), value, why));
    }

    /// Checks a value that stands by itself: if it is as it was, it may be wrong.
    fn value(&mut self, schema: &Schema, value: &Value, kept: Option<Kept<'_>>) -> Outcome {
        let mut outcome = self.node(schema, value, kept.as_ref());
        if !outcome.is_valid() && kept.is_some_and(|kept| kept.is_unchanged()) {
            outcome.forgive();
        }
        outcome
    }

    /// Checks a value against one of the schemas that hold for it.
    fn node(&mut self, schema: &Schema, value: &Value, kept: Option<&Kept<'_>>) -> Outcome {
        let mut outcome = Outcome::default();
        self.kind(schema, value, &mut outcome);
        if !value.is_null()
            && let Some(rules) = &schema.rules
        {
            let combined = self.combined(rules, value, kept);
            outcome.merge(combined);
        }
        if !value.is_null() {
            outcome.pass();
        }
        match value {
            Value::String(text) => self.text(schema, text, &mut outcome),
            Value::Number(number) => self.number(schema, number, &mut outcome),
            Value::Array(items) => self.elements(schema, items, kept, &mut outcome),
            _ => {}
        }
        self.listed(schema, value, &mut outcome);
        outcome.pass();
        if let Value::Object(map) = value {
            self.fields(schema, map, kept, &mut outcome);
        }
        outcome
    }

    fn kind(&self, schema: &Schema, value: &Value, outcome: &mut Outcome) {
        let types = types(schema.kind);
        let format = formats::checked(schema);
        if value.is_null() {
            if types.is_empty() || schema.nullable {
                outcome.pass();
            } else {
                self.mistyped(&types.join(","), "null", outcome);
            }
            return;
        }
        if types.is_empty() && format.is_none() {
            return;
        }
        outcome.pass();
        let (found, own_format) = described(value);
        let is_whole = || value.as_f64().is_some_and(scalars::is_whole);
        let fits = types.contains(&found)
            || (found == "number" && types.contains(&"integer") && is_whole())
            || (found == "integer" && types.contains(&"number"));
        let is_numeric = types.contains(&"number") || types.contains(&"integer");
        let has_text = value.is_string() || value.is_array();
        match format {
            Some(format) if !has_text && !fits && own_format != format => {
                self.mistyped(format, own_format, outcome);
            }
            Some(_) if has_text && !is_numeric => outcome.pass(),
            _ if fits => outcome.pass(),
            _ => self.mistyped(&types.join(","), found, outcome),
        }
    }

    fn mistyped(&self, expected: &str, found: &str, outcome: &mut Outcome) {
        let why = format!("{} in body must be of type {expected}: {found:?}", self.path);
        outcome.add(Error::type_invalid(&self.at(), found, why));
    }

    fn elements(&mut self, schema: &Schema, items: &[Value], kept: Option<&Kept<'_>>, outcome: &mut Outcome) {
        if let Some(element) = &schema.items {
            let element = element.get();
            for (at, item) in items.iter().enumerate() {
                let length = self.path.len();
                self.path.push_str(&format!("[{at}]"));
                let kept = kept.and_then(|kept| kept.index(at));
                let found = self.value(&element, item, kept);
                self.path.truncate(length);
                outcome.merge(found);
            }
        }
        outcome.pass();
        outcome.pass();
        let Some(rules) = &schema.rules else {
            return;
        };
        let count = items.len();
        if let Some(least) = rules.min_items.filter(|least| (count as u64) < *least) {
            self.refuse(outcome, count, &format!("should have at least {least} items"));
        }
        if let Some(most) = rules.max_items.filter(|most| count as u64 > *most) {
            outcome.add(Error::too_many(
                &self.at(),
                count,
                usize::try_from(most).unwrap_or(usize::MAX),
            ));
        }
    }

    fn fields(
        &mut self,
        schema: &Schema,
        map: &Map<String, Value>,
        kept: Option<&Kept<'_>>,
        outcome: &mut Outcome,
    ) {
        self.count(schema, map.len(), outcome);
        if let Some(additional) = &schema.additional {
            let additional = additional.get();
            for (name, value) in map {
                if schema.declared_property(name).is_none() {
                    let path = format!("{}.{name}", self.path);
                    self.field(&additional, (name, value), path, (kept, outcome));
                }
            }
        }
        for (name, value) in map {
            let Some(field) = schema.declared_property(name) else {
                continue;
            };
            let path = match self.path.as_str() {
                "" => name.clone(),
                above => format!("{above}.{name}"),
            };
            self.field(&field.get(), (name, value), path, (kept, outcome));
        }
        for name in &schema.required {
            if !map.contains_key(name.as_str()) {
                let path = self.at_path(&format!("{}.{name}", self.path));
                outcome.add(Error::required(&path, ""));
            }
        }
        outcome.pass();
    }

    fn count(&self, schema: &Schema, count: usize, outcome: &mut Outcome) {
        let Some(rules) = &schema.rules else {
            return;
        };
        if let Some(least) = rules.min_properties.filter(|least| (count as u64) < *least) {
            self.refuse(
                outcome,
                count,
                &format!("should have at least {least} properties"),
            );
        }
        if let Some(most) = rules.max_properties.filter(|most| count as u64 > *most) {
            outcome.add(Error::too_many(
                &self.at(),
                count,
                usize::try_from(most).unwrap_or(usize::MAX),
            ));
        }
    }

    fn field(
        &mut self,
        schema: &Schema,
        (name, value): (&str, &Value),
        path: String,
        (kept, outcome): (Option<&Kept<'_>>, &mut Outcome),
    ) {
        // What can't be seen to change is not let be.
        let is_type = self.path.is_empty() && matches!(name, "apiVersion" | "kind");
        let kept = kept.filter(|_| !is_type).and_then(|kept| kept.key(name));
        let above = std::mem::replace(&mut self.path, path);
        let found = self.value(schema, value, kept);
        self.path = above;
        outcome.merge(found);
    }
}

impl Schema {
    /// What the definition says of a field, itself or as one of a map. Of `apiVersion`, `kind` and `metadata` that
    /// is what it restricts besides.
    pub(crate) fn declared(&self, name: &str) -> Option<&Ref> {
        self.declared_property(name).or(self.additional.as_ref())
    }

    fn declared_property(&self, name: &str) -> Option<&Ref> {
        if self.embedded && matches!(name, "apiVersion" | "kind" | "metadata") {
            return self.restricted.as_ref()?.get(name);
        }
        self.properties.get(name)
    }
}

fn types(kind: Type) -> &'static [&'static str] {
    match kind {
        Type::Any => &[],
        Type::Object => &["object"],
        Type::Array => &["array"],
        Type::String => &["string"],
        Type::Integer => &["integer"],
        Type::Number => &["number"],
        Type::Boolean => &["boolean"],
        Type::IntOrString | Type::Quantity => &["integer", "string"],
    }
}

/// The type and the format that upstream sees in a value.
fn described(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_i64() => ("integer", "int64"),
        Value::Number(_) => ("number", "float64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
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
            &["spec.n: Too long: may not be more than 1 byte"],
        );
        check(
            json!({"type": "array", "minItems": 1, "items": {"type": "string"}}),
            json!([]),
            &["spec.n: Invalid value: 0: spec.n in body should have at least 1 items"],
        );
        check(
            json!({"type": "array", "maxItems": 1, "items": {"type": "string"}}),
            json!(["a", "a"]),
            &["spec.n: Too many: 2: must have at most 1 item"],
        );
        check(
            json!({"type": "integer"}),
            json!(1.5),
            &[
                r#"spec.n: Invalid value: "number": spec.n in body must be of type integer: "number""#,
                r#"<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.n"#,
            ],
        );
        check(
            json!({"type": "string", "format": "date"}),
            json!(true),
            &[r#"spec.n: Invalid value: "": spec.n in body must be of type date: """#],
        );
        check(
            json!({"type": "number", "minimum": 0.5}),
            json!(0.25),
            &["spec.n: Invalid value: 0.25: spec.n in body should be greater than or equal to 0.5"],
        );
        check(json!({"type": "number", "enum": [1, 2.5]}), json!(1.0), &[]);
        check(
            json!({"type": "integer", "anyOf": [{"minimum": 5}, {"multipleOf": 2, "minimum": 9}]}),
            json!(3),
            &[
                r#"<nil>: Invalid value: "": "spec.n" must validate at least one schema (anyOf)"#,
                "spec.n: Invalid value: 3: spec.n in body should be greater than or equal to 5",
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
                "spec.n.a: Required value",
            ],
        );
    }

    #[test]
    fn what_was_wrong_and_has_not_changed_is_let_be() {
        let schema = from_json_schema(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "n": {"type": "integer", "maximum": 5}, "m": {"type": "string", "minLength": 2},
            "l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items":
                {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer", "maximum": 5}}}},
            "a": {"type": "array", "items": {"type": "integer", "maximum": 5}}}}}}))
        .unwrap();
        let old = json!({"spec": {"n": 9, "m": "x", "l": [{"k": "a", "v": 9}], "a": [9]}});
        let check = |new: Value, expect: &[&str]| {
            let found = schema.validate_change(&new, &old, &Path::root());
            let paths: Vec<&str> = found.iter().map(|error| error.path.as_str()).collect();
            assert_eq!(paths, expect);
        };
        check(old.clone(), &[]);
        check(
            json!({"spec": {"n": 9, "m": "y", "l": [{"k": "b", "v": 1}, {"k": "a", "v": 9}], "a": [9]}}),
            &["spec.m"],
        );
        check(
            json!({"spec": {"n": 8, "m": "x", "l": [{"k": "b", "v": 9}], "a": [9, 9]}}),
            &["spec.a[0]", "spec.a[1]", "spec.l[0].v", "spec.n"],
        );
    }

    #[test]
    fn lists_that_are_sets_or_maps_name_what_occurs_twice() {
        let schema = from_json_schema(&json!({"type": "object", "properties": {
            "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "m": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items":
                {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}}}}))
        .unwrap();
        let check = |value: Value, expect: &[&str]| {
            let found = schema.validate_lists(&value, &Path::root());
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
        };
        check(
            json!({"s": ["a", "b", "a", "a"], "m": [{"k": "a"}, {"k": "b"}]}),
            &[r#"s[2]: Duplicate value: "a""#],
        );
        check(
            json!({"m": [{"k": "a"}, {"k": "a"}, {}]}),
            &[r#"m[1]: Duplicate value: {"k":"a"}"#],
        );
        check(
            json!({"m": [{"k": "a"}, 1]}),
            &["m[1]: Invalid value: 1: must be an object for an array of list-type map"],
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
        assert_eq!(schema.validate(&json!({"n": 1}), &Path::root()).len(), 2);
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
