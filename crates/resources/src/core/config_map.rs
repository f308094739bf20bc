//! Config maps.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The most bytes that the values of a config map or a secret may have together.
pub(crate) const SIZE_MAX: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";

/// The strategy of config maps.
pub(crate) struct ConfigMap;

impl Strategy for ConfigMap {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let data = entries(object, "data");
        let binary = entries(object, "binaryData");
        let mut size = 0;
        for (key, value) in data.into_iter().flatten() {
            let path = Path::new("data").key(key);
            check::text(&mut errors, &path, key, names::config_map_key(key));
            if binary.is_some_and(|binary| binary.contains_key(key)) {
                errors.push(Error::invalid(
                    &path,
                    key.as_str(),
                    "duplicate of key present in binaryData",
                ));
            }
            size += value.as_str().map_or(0, str::len);
        }
        for (key, value) in binary.into_iter().flatten() {
            let path = Path::new("binaryData").key(key);
            check::text(&mut errors, &path, key, names::config_map_key(key));
            size += decoded_length(value);
        }
        if size > SIZE_MAX {
            // What upstream prints for the whole object.
            errors.push(Error::too_long(&Path::root().key(""), SIZE_MAX));
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        frozen(new, old, &["data", "binaryData"])
    }

    fn columns(&self) -> &'static [Column] {
        columns("configmaps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let count = |field| entries(object, field).map_or(0, Map::len);
        vec![
            name(object),
            (count("data") + count("binaryData")).into(),
            age(object, now),
        ]
    }
}

/// The entries of a map of values.
pub(crate) fn entries<'a>(object: &'a Value, field: &str) -> Option<&'a Map<String, Value>> {
    object.field(field).as_object()
}

/// How many bytes a base64 text stands for.
pub(crate) fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default().trim_end_matches('=');
    text.len() * 3 / 4
}

/// An object that says `immutable: true` keeps saying so, and its data.
pub(crate) fn frozen(new: &Value, old: &Value, data: &[&str]) -> Vec<Error> {
    let mut errors = Errors::new();
    let is_frozen = |object: &Value| object.field("immutable").as_bool() == Some(true);
    if !is_frozen(old) {
        return errors;
    }
    if !is_frozen(new) {
        errors.push(Error::forbidden(&Path::new("immutable"), FROZEN));
    }
    for field in data {
        if !check::same(new.field(field), old.field(field)) {
            errors.push(Error::forbidden(&Path::new(field), FROZEN));
        }
    }
    errors
}
