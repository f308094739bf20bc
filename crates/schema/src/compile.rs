//! From a definition's JSON to a [`Schema`].

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use crate::builtin::builtin;
use crate::model::{GoFacts, ListType, MapType, PatchStrategy, Ref, Schema, Type};

/// Defaults by definition and field; parsed once, about 60 entries.
static DEFAULTS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/defaults.json")).unwrap_or_default());

/// Fields without fields of their own are alike a thousand times over: one schema for each distinct text.
/// Bounded by the definitions; lives as long as the process.
static LEAVES: LazyLock<Mutex<HashMap<String, Arc<Schema>>>> = LazyLock::new(Mutex::default);

const REFERENCE: &str = "#/definitions/";

/// The table of defaults.
#[cfg(test)]
pub(crate) fn default_table() -> &'static Map<String, Value> {
    &DEFAULTS
}

/// Compiles the definition `name`.
pub(crate) fn definition(name: &str, raw: &Value) -> Schema {
    let mut schema = node(raw);
    match name {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => schema.kind = Type::Quantity,
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => schema.kind = Type::IntOrString,
        _ => {}
    }
    let defaults = DEFAULTS.get(name).and_then(Value::as_object);
    for (field, raw) in raw.field("properties").as_object().into_iter().flatten() {
        let default = defaults.and_then(|d| d.get(field)).or_else(|| raw.get("default"));
        schema
            .properties
            .insert(SmolStr::new(field), property(raw, default));
    }
    schema.go = Some(Box::new(facts(name, raw.field("x-go"))));
    schema
}

fn facts(name: &str, raw: &Value) -> GoFacts {
    let object = |key: &str| raw.field(key).as_object().into_iter().flatten();
    let mut parts = name.rsplit('.');
    let (type_name, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    GoFacts {
        name: SmolStr::new(type_name),
        package: SmolStr::new(package),
        always: object("always")
            .map(|(k, v)| (SmolStr::new(k), v.clone()))
            .collect(),
        droppable: texts(raw.field("droppable")),
        types: object("types")
            .map(|(k, v)| (SmolStr::new(k), SmolStr::new(v.as_str().unwrap_or_default())))
            .collect(),
    }
}

/// A field: a definition by name where the field adds nothing to it, else a schema in place.
fn property(raw: &Value, default: Option<&Value>) -> Ref {
    let Some(target) = reference(raw) else {
        return leaf(raw, default);
    };
    let adds = raw
        .as_object()
        .is_some_and(|raw| raw.keys().any(|key| key.starts_with("x-")));
    if !adds && default.is_none() {
        return Ref::Named(SmolStr::new(target));
    }
    let Some(target) = builtin(target) else {
        return Ref::Named(SmolStr::new(target));
    };
    let mut schema = Schema::clone(&target);
    schema.patch = patch(raw);
    if raw.get("x-kubernetes-map-type").is_some() {
        schema.map = map_type(raw);
    }
    schema.default = default.cloned();
    Ref::Inline(Arc::new(schema))
}

fn leaf(raw: &Value, default: Option<&Value>) -> Ref {
    let key = format!("{raw}{}", default.unwrap_or(&Value::Null));
    let mut leaves = LEAVES.lock().unwrap_or_else(PoisonError::into_inner);
    let schema = leaves.entry(key).or_insert_with(|| {
        let mut schema = node(raw);
        schema.default = default.cloned();
        Arc::new(schema)
    });
    Ref::Inline(Arc::clone(schema))
}

/// Items and values of maps.
fn element(raw: &Value) -> Option<Ref> {
    if !raw.is_object() {
        return None;
    }
    Some(match reference(raw) {
        Some(target) => Ref::Named(SmolStr::new(target)),
        None => Ref::Inline(Arc::new(node(raw))),
    })
}

/// All but the fields of a struct, which only definitions have.
fn node(raw: &Value) -> Schema {
    let items = element(raw.field("items"));
    let additional = element(raw.field("additionalProperties"));
    let has_shape = raw.get("properties").is_some() || additional.is_some();
    let kind = match raw.text("/type") {
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        "object" if has_shape => Type::Object,
        _ => Type::Any,
    };
    let format = raw.field("format").as_str().map(SmolStr::new);
    Schema {
        items,
        additional,
        required: texts(raw.field("required")),
        list: list_type(raw),
        map: map_type(raw),
        patch: patch(raw),
        format,
        ..Schema::of(kind)
    }
}

pub(crate) fn list_type(raw: &Value) -> ListType {
    match raw.text("/x-kubernetes-list-type") {
        "set" => ListType::Set,
        "map" => ListType::Map(texts(raw.field("x-kubernetes-list-map-keys"))),
        _ => ListType::Atomic,
    }
}

pub(crate) fn map_type(raw: &Value) -> MapType {
    match raw.text("/x-kubernetes-map-type") {
        "atomic" => MapType::Atomic,
        _ => MapType::Granular,
    }
}

fn patch(raw: &Value) -> PatchStrategy {
    let strategy = raw.text("/x-kubernetes-patch-strategy");
    PatchStrategy {
        merge: strategy.split(',').any(|s| s == "merge"),
        retain_keys: strategy.split(',').any(|s| s == "retainKeys"),
        merge_key: raw
            .field("x-kubernetes-patch-merge-key")
            .as_str()
            .map(SmolStr::new),
    }
}

fn reference(raw: &Value) -> Option<&str> {
    raw.field("$ref").as_str()?.strip_prefix(REFERENCE)
}

pub(crate) fn texts(raw: &Value) -> Box<[SmolStr]> {
    raw.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(SmolStr::new)
        .collect()
}
