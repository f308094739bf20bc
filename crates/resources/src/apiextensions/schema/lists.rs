//! Kinds of lists and maps, and the keys of a list's items.

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::Errors;
use crate::go_literal::go_literal;

const LIST: &str = "x-kubernetes-list-type";
const MAP: &str = "x-kubernetes-map-type";
const KEYS: &str = "x-kubernetes-list-map-keys";
const ATOMIC: &str = "must be atomic as item of a list with x-kubernetes-list-type=set";

/// Checks the extensions of one schema that say how it is merged.
pub(super) fn check(errors: &mut Errors, path: &Path, schema: &Value) {
    of_type(errors, path, schema, [MAP, "object"]);
    one_of(errors, path, schema, MAP, &["atomic", "granular"]);
    let fits = of_type(errors, path, schema, [LIST, "array"]);
    let kind = schema.field(LIST).as_str();
    if fits && kind == Some("set") {
        items_of_set(errors, &path.child("items"), schema.field("items"));
    }
    one_of(errors, path, schema, LIST, &["atomic", "set", "map"]);
    let keys = schema.items(&format!("/{KEYS}"));
    if !keys.is_empty() && kind != Some("map") {
        const WHY: &str = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match kind {
            None => Error::required(&path.child(LIST), WHY),
            Some(kind) => Error::invalid(&path.child(LIST), kind, WHY),
        });
    }
    if kind == Some("map") {
        keyed(errors, path, schema, keys);
    }
    if matches!(kind, Some("map" | "set")) {
        not_nullable(errors, path, schema);
    }
}

/// Whether a schema with this extension has the type that goes with it.
fn of_type(errors: &mut Errors, path: &Path, schema: &Value, [extension, wanted]: [&str; 2]) -> bool {
    let kind = schema.text("/type");
    if schema.field(extension).is_null() || kind == wanted {
        return true;
    }
    let (path, why) = (
        path.child("type"),
        format!("must be {wanted} if {extension} is specified"),
    );
    errors.push(if kind.is_empty() {
        Error::required(&path, why)
    } else {
        Error::invalid(&path, kind, why)
    });
    false
}

fn one_of(errors: &mut Errors, path: &Path, schema: &Value, extension: &str, known: &[&str]) {
    if let Some(kind) = schema
        .field(extension)
        .as_str()
        .filter(|kind| !known.contains(kind))
    {
        errors.push(Error::not_supported(&path.child(extension), kind, known));
    }
}

fn items_of_set(errors: &mut Errors, path: &Path, items: &Value) {
    let list = items.field(LIST);
    match items.text("/type") {
        "array" if !list.is_null() && list != "atomic" => {
            errors.push(Error::invalid(&path.child(LIST), list.clone(), ATOMIC));
        }
        // Upstream shows the list's kind here.
        "object" if items.field(MAP) != "atomic" => {
            errors.push(Error::invalid(&path.child(MAP), list.clone(), ATOMIC));
        }
        _ => {}
    }
}

fn keyed(errors: &mut Errors, path: &Path, schema: &Value, keys: &[Value]) {
    let (keys_path, items_path) = (path.child(KEYS), path.child("items"));
    let items = schema.field("items");
    if keys.is_empty() {
        errors.push(Error::required(
            &keys_path,
            "must not be empty if x-kubernetes-list-type is map",
        ));
    }
    if items.is_null() {
        errors.push(Error::required(
            &items_path,
            "must have a schema if x-kubernetes-list-type is map",
        ));
        return;
    }
    if let Some(several) = items.as_array() {
        let whole = json!({"schema": null, "jsonSchemas": several});
        let shown = go_literal("JSONSchemaPropsOrArray", &whole);
        let why = "must only have a single schema if x-kubernetes-list-type is map";
        errors.push(Error::invalid(&items_path, items.clone(), why).shown_as(shown));
        return;
    }
    let kind = items.text("/type");
    if kind != "object" {
        errors.push(Error::invalid(
            &items_path.child("type"),
            kind,
            "must be object if parent array's x-kubernetes-list-type is map",
        ));
        return;
    }
    let mut seen = Vec::new();
    for key in keys.iter().filter_map(Value::as_str) {
        let property = items.field("properties").field(key);
        let mut refuse = |why: &str| errors.push(Error::invalid(&keys_path, keys.to_vec(), why));
        if property.is_null() {
            refuse("entries must all be names of item properties");
        }
        if seen.contains(&key) {
            refuse("must not contain duplicate entries");
        }
        seen.push(key);
        if matches!(property.text("/type"), "array" | "object") {
            errors.push(Error::invalid(
                &items_path.child("properties").key(key).child("type"),
                kind,
                "must be a scalar type if parent array's x-kubernetes-list-type is map",
            ));
        }
    }
}

fn not_nullable(errors: &mut Errors, path: &Path, schema: &Value) {
    let (path, items) = (path.child("items"), schema.field("items"));
    let is_nullable = |schema: &Value| schema.field("nullable").as_bool() == Some(true);
    let kind = schema.field(LIST).as_str().unwrap_or_default();
    if is_nullable(items) {
        errors.push(Error::forbidden(
            &path.child("nullable"),
            format!("cannot be nullable when x-kubernetes-list-type is {kind}"),
        ));
    }
    if kind != "map" {
        return;
    }
    for key in schema.items(&format!("/{KEYS}")).iter().filter_map(Value::as_str) {
        let (path, property) = (
            path.child("properties").key(key),
            items.field("properties").field(key),
        );
        if property.is_null() {
            continue;
        }
        let is_required = items.items("/required").iter().any(|required| required == key);
        if !is_required && property.get("default").is_none() {
            errors.push(Error::required(&path.child("default"), "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"));
        }
        if is_nullable(property) {
            errors.push(Error::forbidden(
                &path.child("nullable"),
                "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
            ));
        }
    }
}
