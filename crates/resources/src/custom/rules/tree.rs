//! The part of a schema that leads to rules.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_cel::{Declared, Kind, escape};

use super::compile::{Compiled, Expressions};
use super::field_path::{Brackets, resolve};

/// A schema with rules, or with some below it.
pub(crate) struct Node {
    pub(super) declared: Option<Arc<Declared>>,
    /// `type` of the schema, which upstream shows for a value.
    pub(super) kind: String,
    pub(super) rules: Box<[Rule]>,
    pub(super) properties: Vec<(String, Node)>,
    pub(super) items: Option<Box<Node>>,
    pub(super) additional: Option<Box<Node>>,
    pub(super) all_of: Box<[Node]>,
    /// The fields that tell elements of a list apart; `None` for lists whose elements can't be told apart.
    pub(super) keys: Option<Box<[String]>>,
    compiled: OnceLock<Box<[Compiled]>>,
}

/// What a rule says.
pub(super) struct Rule {
    pub(super) raw: Value,
    /// The field below that is blamed; empty: the value itself.
    pub(super) field_path: String,
    pub(super) is_optional_old: bool,
}

impl Node {
    /// Of a whole custom resource.
    pub(in crate::custom) fn of_root(schema: &Value) -> Option<Self> {
        let declared = Declared::of_schema(schema, true);
        Self::of(schema, schema, declared)
    }

    /// Of a value that stands by itself; `is_object` where it has metadata of its own.
    pub(crate) fn of_value(schema: &Value, is_object: bool) -> Option<Self> {
        Self::of(schema, schema, Declared::of_schema(schema, is_object))
    }

    /// `validations` is the schema that has the rules: `schema` itself, or what stands in its `allOf`.
    fn of(validations: &Value, schema: &Value, declared: Option<Arc<Declared>>) -> Option<Self> {
        let element = match declared.as_deref().map(|declared| &declared.kind) {
            Some(Kind::List { element, .. } | Kind::Map(element)) => Some(element),
            _ => None,
        };
        let child = |key: &str| {
            let (validations, schema) = (validations.field(key), schema.field(key));
            let is_there = validations.is_object() && schema.is_object();
            let node = is_there.then(|| Self::of(validations, schema, element.cloned()))?;
            node.map(Box::new)
        };
        let (items, additional) = (child("items"), child("additionalProperties"));
        let all_of: Box<[Self]> = validations
            .items("/allOf")
            .iter()
            .filter_map(|part| Self::of(part, schema, declared.clone()))
            .collect();
        let node = Self {
            properties: properties(validations, schema, declared.as_deref()),
            kind: schema.text("/type").to_owned(),
            rules: validations
                .items("/x-kubernetes-validations")
                .iter()
                .filter(|raw| !raw.text("/rule").trim().is_empty())
                .map(|raw| rule(raw, schema))
                .collect(),
            items,
            additional,
            all_of,
            keys: keys(schema),
            compiled: OnceLock::new(),
            declared,
        };
        let has_below = node.items.is_some() || node.additional.is_some();
        let has_any =
            has_below || !node.rules.is_empty() || !node.properties.is_empty() || !node.all_of.is_empty();
        has_any.then_some(node)
    }

    /// The rules, compiled on first use.
    pub(super) fn compiled(&self) -> &[Compiled] {
        let Some(declared) = &self.declared else {
            return &[];
        };
        self.compiled.get_or_init(|| {
            let expressions = Expressions::of(declared);
            self.rules
                .iter()
                .map(|rule| expressions.compile(&rule.raw))
                .collect()
        })
    }
}

fn properties(validations: &Value, schema: &Value, declared: Option<&Declared>) -> Vec<(String, Node)> {
    let all = validations.field("properties").as_object().into_iter().flatten();
    all.filter_map(|(name, validations)| {
        let schema = schema.field("properties").get(name)?;
        let declared = match (declared.map(|declared| &declared.kind), escape(name)) {
            (Some(Kind::Object(object)), Some(escaped)) => {
                Arc::clone(&object.fields.get(escaped.as_str())?.declared)
            }
            (_, None) => Declared::of_child(schema)?,
            _ => return None,
        };
        Some((name.clone(), Node::of(validations, schema, Some(declared))?))
    })
    .collect()
}

fn rule(raw: &Value, schema: &Value) -> Rule {
    let path = resolve(raw.text("/fieldPath"), schema, Brackets::Allowed);
    Rule {
        raw: raw.clone(),
        field_path: path.map_or_else(|_| String::new(), |(path, _)| path.as_str().to_owned()),
        is_optional_old: raw.field("optionalOldSelf").as_bool() == Some(true),
    }
}

fn keys(schema: &Value) -> Option<Box<[String]>> {
    (schema.text("/x-kubernetes-list-type") == "map").then(|| {
        let keys = schema.items("/x-kubernetes-list-map-keys").iter();
        keys.filter_map(Value::as_str).map(str::to_owned).collect()
    })
}
