//! The definitions of a document: those asked for and all they refer to, in the document's dialect.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use warren_apimachinery::GroupVersionKind;
use warren_apimachinery::value::ValueExt;

use super::{Dialect, ResourceDoc, Shape, Writer};
use crate::builtin;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const BUILTIN: &str = "#/definitions/";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const CONVENTIONS: &str =
    "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
const LIST_METADATA: &str = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const EMBEDDED_VERSION: &str = "apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const EMBEDDED_KIND: &str = "kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// The built-in groups that upstream's client library has no types of.
const UNKNOWN_TO_CLIENTS: [&str; 4] = [
    "admission.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "imagepolicy.k8s.io",
];

/// Collects names while paths are written, then writes the definitions.
pub(crate) struct Definitions {
    dialect: Dialect,
    /// The group and version of a document of built-in kinds that has one.
    of: Option<GroupVersionKind>,
    builtin: BTreeSet<String>,
    /// Those of custom resources, as JSON: the trees of all together would be ten times as large.
    custom: BTreeMap<String, String>,
}

impl Definitions {
    pub(super) fn new(dialect: Dialect, of: Option<GroupVersionKind>) -> Self {
        Self {
            dialect,
            of,
            builtin: BTreeSet::new(),
            custom: BTreeMap::new(),
        }
    }

    /// A reference to a type of `meta/v1`, such as `Status`.
    pub(super) fn meta(&mut self, name: &str) -> Value {
        self.named(&format!("{META}.{name}"))
    }

    /// The same with a description beside it.
    fn meta_with(&mut self, name: &str, description: &str) -> Value {
        let mut schema = match (self.dialect, self.meta(name)) {
            (Dialect::V2, reference) => reference,
            (Dialect::V3, reference) => json!({"allOf": [reference]}),
        };
        schema.set("/description", description);
        schema
    }

    /// A reference to what `/version` answers.
    pub(super) fn version(&mut self) -> Value {
        self.named("io.k8s.apimachinery.pkg.version.Info")
    }

    /// A reference to a resource's objects.
    pub(super) fn object(&mut self, doc: &ResourceDoc) -> Value {
        match &doc.shape {
            Shape::Builtin(name) => self.named(name),
            Shape::Custom(source) => {
                let name = custom_name(&doc.kind);
                if !self.custom.contains_key(&name) {
                    let mut definition = self.custom_definition(&doc.kind, &source.raw());
                    select(&mut definition, &doc.selectable);
                    self.custom.insert(name.clone(), definition.to_string());
                }
                self.dialect.reference(&name)
            }
        }
    }

    /// A reference to lists of a resource's objects.
    pub(super) fn list(&mut self, doc: &ResourceDoc) -> Value {
        let object = self.object(doc);
        let list_kind = GroupVersionKind {
            kind: format!("{}List", doc.kind.kind).into(),
            ..doc.kind.clone()
        };
        if let Shape::Builtin(_) = doc.shape
            && let Some(name) = builtin::definition_for(&list_kind.group, &list_kind.version, &list_kind.kind)
        {
            return self.named(name);
        }
        let name = custom_name(&list_kind);
        if !self.custom.contains_key(&name) {
            let mut definition = json!({
                "description": format!("{} is a list of {}", list_kind.kind, doc.kind.kind),
                "type": "object",
                "required": ["items"],
                "properties": {
                    "apiVersion": self.described("apiVersion"),
                    "kind": self.described("kind"),
                    "items": {"description": format!("List of {}. {CONVENTIONS}", doc.plural), "type": "array",
                        "items": object},
                    "metadata": self.meta_with("ListMeta", LIST_METADATA),
                },
                "x-kubernetes-group-version-kind": [gvk(&list_kind)],
            });
            select(&mut definition, &doc.selectable);
            self.custom.insert(name.clone(), definition.to_string());
        }
        self.dialect.reference(&name)
    }

    /// A reference to a subresource's kind; free text where it has no definition (`PodExecOptions`).
    pub(super) fn kind(&mut self, kind: &GroupVersionKind) -> Value {
        match builtin::definition_for(&kind.group, &kind.version, &kind.kind) {
            Some(name) => self.named(name),
            None => json!({"type": "string"}),
        }
    }

    fn named(&mut self, name: &str) -> Value {
        self.builtin.insert(name.to_owned());
        self.dialect.reference(name)
    }

    /// Writes all definitions as one object. Names are found while others are written, so they are not sorted.
    pub(super) fn write(mut self, out: &mut Writer) {
        out.text("{");
        let mut is_first = true;
        for (name, definition) in std::mem::take(&mut self.custom) {
            out.json(&name, &definition, &mut is_first);
        }
        let mut done = BTreeSet::new();
        while let Some(name) = self.builtin.pop_first() {
            if !done.contains(&name)
                && let Some(definition) = self.builtin_definition(&name, &done)
            {
                out.member(&name, &definition, &mut is_first);
                done.insert(name);
            }
        }
        out.text("}");
    }

    fn builtin_definition(&mut self, name: &str, done: &BTreeSet<String>) -> Option<Value> {
        let mut definition = builtin::raw(name)?;
        let facts = definition.take_at("/x-go");
        let required = definition.at("/required").clone();
        let is_object = !definition.at("/properties/metadata").is_null();
        let descriptions = builtin::descriptions(name).unwrap_or_default();
        if let Some(Value::Object(properties)) = definition.get_mut("properties") {
            for (field, property) in properties {
                let values = builtin::published_values(name, field).unwrap_or_default();
                allow(property, &values);
                if let Some(Value::String(text)) = descriptions.get(field) {
                    property.set("/description", format!("{text}{}", explained(&values)));
                }
                let zero = match &facts {
                    Some(facts) => facts.field("always").get(field).cloned(),
                    None => implied_zero(field, property, &required)
                        .filter(|zero| zero.is_string() || zero.is_number() || is_object),
                };
                self.restate(property, zero.filter(|zero| !zero.is_null()), true, done);
            }
        }
        if let Some(text) = descriptions.get("") {
            definition.set("/description", text.clone());
        }
        if self.dialect == Dialect::V3 {
            one_of(name, &mut definition);
            self.narrow(&mut definition);
        }
        Some(definition)
    }

    /// Of the kinds of a definition that every version has, the document of a built-in version names its own and the
    /// first; that of a custom resource those of the groups that upstream's client library knows.
    fn narrow(&self, definition: &mut Value) {
        const KINDS: &str = "x-kubernetes-group-version-kind";
        let is_own = |kind: &Value| {
            let (group, version) = (kind.text("/group"), kind.text("/version"));
            match &self.of {
                Some(own) => {
                    group.is_empty() && version == "v1" || own.group == group && own.version == version
                }
                None => !UNKNOWN_TO_CLIENTS.contains(&group),
            }
        };
        if let Some(Value::Array(kinds)) = definition.get_mut(KINDS)
            && kinds.len() > 1
        {
            kinds.retain(is_own);
        }
    }

    /// Brings a field's schema into the dialect and notes what it refers to.
    fn restate(
        &mut self,
        schema: &mut Value,
        zero: Option<Value>,
        is_property: bool,
        done: &BTreeSet<String>,
    ) {
        let Some(map) = schema.as_object_mut() else {
            return;
        };
        match (self.dialect, zero) {
            (Dialect::V2, _) => drop(map.remove("default")),
            // The types behind a reference that are no objects have no zero that is written.
            (Dialect::V3, Some(zero)) if zero.is_object() || !map.contains_key("$ref") => {
                map.entry("default").or_insert(zero);
            }
            (Dialect::V3, _) => {}
        }
        if let Some(Value::String(target)) = map.remove("$ref") {
            let name = target.strip_prefix(BUILTIN).unwrap_or(&target);
            if !done.contains(name) {
                self.builtin.insert(name.to_owned());
            }
            let reference = self.dialect.reference(name);
            // In v3 nothing may stand beside a reference.
            if self.dialect == Dialect::V3 && is_property && !map.is_empty() {
                map.insert("allOf".to_owned(), json!([reference]));
            } else {
                map.extend(reference.as_object().cloned().unwrap_or_default());
            }
        }
        for key in ["items", "additionalProperties"] {
            if let Some(element) = map.get_mut(key) {
                self.restate(element, None, false, done);
            }
        }
    }

    fn custom_definition(&mut self, kind: &GroupVersionKind, schema: &Value) -> Value {
        let is_empty = schema.as_object().is_none_or(Map::is_empty);
        let mut definition = match self.dialect {
            // Any property here, even `metadata`, would make kubectl refuse all others.
            _ if is_empty => json!({"type": "object"}),
            Dialect::V2 if is_true(schema, "x-kubernetes-preserve-unknown-fields") => {
                json!({"type": "object"})
            }
            dialect => {
                let mut definition = schema.clone();
                match dialect {
                    Dialect::V2 => reduce(&mut definition),
                    Dialect::V3 => unfold(&mut definition),
                }
                self.embed(&mut definition);
                self.identify(&mut definition, |field, this| this.described(field));
                definition
            }
        };
        definition.set("/x-kubernetes-group-version-kind", json!([gvk(kind)]));
        definition
    }

    /// Gives a schema the fields that all objects have.
    fn identify(&mut self, schema: &mut Value, described: impl Fn(&str, &Self) -> Value) {
        for field in ["apiVersion", "kind"] {
            schema.set(&format!("/properties/{field}"), described(field, self));
        }
        let metadata = self.meta_with("ObjectMeta", METADATA);
        schema.set("/properties/metadata", metadata);
    }

    /// Whole objects within an object say what they are.
    fn embed(&mut self, schema: &mut Value) {
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.values_mut().for_each(|property| self.embed(property));
        }
        for key in ["items", "additionalProperties"] {
            if let Some(child) = schema.get_mut(key) {
                self.embed(child);
            }
        }
        let is_open = is_true(schema, "x-kubernetes-preserve-unknown-fields");
        if !is_true(schema, "x-kubernetes-embedded-resource") || (is_open && self.dialect == Dialect::V2) {
            return;
        }
        self.identify(schema, |field, _| {
            let text = if field == "kind" {
                EMBEDDED_KIND
            } else {
                EMBEDDED_VERSION
            };
            json!({"type": "string", "description": text})
        });
        let mut required = schema.items("/required").to_vec();
        for field in ["kind", "apiVersion"] {
            if !required.iter().any(|name| name == field) {
                required.push(field.into());
            }
        }
        schema.set("/required", required);
    }

    /// `apiVersion` and `kind`, with the descriptions that all kinds have.
    fn described(&self, field: &str) -> Value {
        let any = builtin::descriptions("io.k8s.api.core.v1.ConfigMap").unwrap_or_default();
        json!({"type": "string", "description": any.field(field)})
    }
}

/// The zero of a field of a type whose Go form is not known: what must be there is no pointer.
fn implied_zero(field: &str, property: &Value, required: &Value) -> Option<Value> {
    if property.get("$ref").is_some() {
        return matches!(field, "metadata" | "spec" | "status").then(|| json!({}));
    }
    let is_required = required.as_array()?.iter().any(|name| name == field);
    match property.text("/type") {
        "string" if is_required => Some(json!("")),
        "integer" if is_required => Some(json!(0)),
        _ => None,
    }
}

/// Puts the values that a field may have where upstream has them: at the elements of a list or map.
fn allow(property: &mut Value, values: &Value) {
    let names: Vec<Value> = values
        .items("/values")
        .iter()
        .map(|value| value.at("/0").clone())
        .collect();
    if names.is_empty() {
        return;
    }
    let place = match property.text("/type") {
        "array" => "/items/enum",
        "object" => "/additionalProperties/enum",
        _ => "/enum",
    };
    property.set(place, names);
}

/// The same values as the description lists them.
fn explained(values: &Value) -> String {
    let lines = values
        .items("/values")
        .iter()
        .filter(|value| value.at("/1").is_string());
    let lines: Vec<String> = lines
        .map(|value| format!("\n - `\"{}\"`{}", value.text("/0"), value.text("/1")))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "{}\n\nPossible enum values:{}",
        values.text("/before"),
        lines.concat()
    )
}

/// The two types that v3 can describe better than v2.
fn one_of(name: &str, definition: &mut Value) {
    let types = match name {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => ["string", "number"],
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => ["integer", "string"],
        _ => return,
    };
    definition.take_at("/type");
    definition.set("/oneOf", json!(types.map(|kind| json!({"type": kind}))));
}

/// Says of what is a number or a text that it is one of both, where the schema does not say so itself.
fn unfold(schema: &mut Value) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(unfold);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = schema.get_mut(key) {
            unfold(child);
        }
    }
    let either = json!([{"type": "integer"}, {"type": "string"}]);
    if !is_true(schema, "x-kubernetes-int-or-string")
        || *schema.field("anyOf") == either
        || *schema.at("/allOf/0") == json!({"anyOf": either})
    {
        return;
    }
    if schema.items("/anyOf").is_empty() {
        schema.set("/anyOf", either);
        return;
    }
    let mut all = vec![json!({"anyOf": either})];
    all.extend_from_slice(schema.items("/allOf"));
    schema.set("/allOf", all);
}

/// Takes out of a custom resource's schema what v2, or kubectl's reading of it, cannot stand.
fn reduce(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for key in ["allOf", "anyOf", "oneOf", "not", "default"] {
        map.remove(key);
    }
    let is_open = map
        .get("x-kubernetes-preserve-unknown-fields")
        .is_some_and(|open| open == true);
    let is_nullable = map.remove("nullable").is_some_and(|nullable| nullable == true);
    if is_nullable {
        map.remove("type");
    }
    if is_nullable || is_open {
        map.remove("items");
        map.remove("properties");
    }
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
    if (kind == "array" && !map.contains_key("items")) || (kind == "object" && is_open) {
        map.remove("type");
    }
    forget_nullable(map);
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(reduce);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = map.get_mut(key) {
            reduce(child);
        }
    }
}

/// Names the fields that lists may be selected by.
fn select(definition: &mut Value, fields: &[SmolStr]) {
    if !fields.is_empty() {
        let fields: Vec<Value> = fields.iter().map(|field| json!({"fieldPath": field})).collect();
        definition.set("/x-kubernetes-selectable-fields", fields);
    }
}

fn is_true(schema: &Value, field: &str) -> bool {
    schema.field(field) == &Value::Bool(true)
}

/// v2 has no null: what may be null is not required either.
fn forget_nullable(map: &mut Map<String, Value>) {
    let nullable = |schema: &Value| is_true(schema, "nullable");
    if map.get("additionalProperties").is_some_and(nullable) {
        map.remove("required");
    }
    let Some(Value::Array(mut required)) = map.remove("required") else {
        return;
    };
    let properties = map.get("properties").and_then(Value::as_object);
    required.retain(|name| {
        let property = name.as_str().and_then(|name| properties?.get(name));
        !property.is_some_and(nullable)
    });
    if !required.is_empty() {
        map.insert("required".to_owned(), required.into());
    }
}

pub(super) fn gvk(kind: &GroupVersionKind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

/// `io.ex.v1.Foo` for `ex.io/v1`, kind `Foo`.
fn custom_name(kind: &GroupVersionKind) -> String {
    let mut parts: Vec<&str> = kind.group.split('.').filter(|part| !part.is_empty()).collect();
    parts.reverse();
    parts.extend([kind.version.as_str(), kind.kind.as_str()]);
    parts.join(".")
}
