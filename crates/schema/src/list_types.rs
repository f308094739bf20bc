//! Lists that are sets or maps (`x-kubernetes-list-type`): no element of theirs may occur twice.

use std::collections::HashMap;

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};

use crate::model::{ListType, Ref, Schema};

impl Schema {
    /// The elements of sets and maps in `value` that occur a second time.
    pub fn validate_lists(&self, value: &Value, path: &Path) -> Vec<Error> {
        let mut errors = Vec::new();
        node(self, value, path, &mut errors);
        errors
    }
}

fn node(schema: &Schema, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    match value {
        Value::Object(map) => fields(schema, map, path, errors),
        Value::Array(items) => elements(schema, items, path, errors),
        _ => {}
    }
}

fn fields(schema: &Schema, map: &Map<String, Value>, path: &Path, errors: &mut Vec<Error>) {
    let is_whole = |value: &Value| value.is_object() || value.is_array();
    if let Some(additional) = &schema.additional {
        let additional = additional.get();
        for (name, value) in map.iter().filter(|(_, value)| is_whole(value)) {
            node(&additional, value, &path.key(name), errors);
        }
    }
    for (name, value) in map.iter().filter(|(_, value)| is_whole(value)) {
        match schema.properties.get(name.as_str()) {
            None | Some(Ref::Named(_)) => {}
            Some(field) => node(&field.get(), value, &path.child(name), errors),
        }
    }
}

fn elements(schema: &Schema, items: &[Value], path: &Path, errors: &mut Vec<Error>) {
    match &schema.list {
        ListType::Atomic => {}
        ListType::Set => doubled(items.iter(), path, errors),
        ListType::Map(keys) => by_keys(keys, items, path, errors),
    }
    let Some(element) = &schema.items else {
        return;
    };
    let element = element.get();
    for (at, item) in items.iter().enumerate() {
        node(&element, item, &path.index(at), errors);
    }
}

fn by_keys(keys: &[SmolStr], items: &[Value], path: &Path, errors: &mut Vec<Error>) {
    let other = items.iter().position(|item| !item.is_object() && !item.is_null());
    if let Some((at, item)) = other.and_then(|at| Some((at, items.get(at)?))) {
        let why = "must be an object for an array of list-type map";
        errors.push(Error::invalid(&path.index(at), item.clone(), why));
        return;
    }
    let of = |item: &Value| {
        let known = keys
            .iter()
            .filter_map(|key| Some((key.to_string(), item.get(key.as_str())?.clone())));
        Value::Object(known.collect())
    };
    let identities: Vec<Value> = items.iter().map(of).collect();
    doubled(identities.iter(), path, errors);
}

/// What occurs twice is named at its second occurrence only.
fn doubled<'a>(items: impl Iterator<Item = &'a Value>, path: &Path, errors: &mut Vec<Error>) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for (at, item) in items.enumerate() {
        let times = seen.entry(item.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            errors.push(Error::duplicate(&path.index(at), item.clone()));
        }
    }
}
