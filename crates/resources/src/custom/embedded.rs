//! Objects that custom resources embed (`x-kubernetes-embedded-resource`): each has a kind, a version and metadata as
//! an object of its own would.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_schema::{Ref, Schema, builtin};

const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// What is wrong with the objects below an object.
pub(super) fn validate(schema: &Schema, object: &Value) -> Vec<Error> {
    let mut errors = Vec::new();
    below(schema, object, &Path::root(), &mut errors);
    errors
}

/// What is wrong with a value at `path` that may itself be an object, and with those below it.
pub(crate) fn validate_at(schema: &Schema, value: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    node(schema, value, path, &mut errors);
    errors
}

/// The first value that keeps an object from being read at all, at `path` or below it: a kind or a version that is no
/// text, or metadata of other types.
pub(crate) fn unreadable(schema: &Schema, value: &Value, path: &Path) -> Option<Error> {
    if schema.embedded
        && let Some(error) = unreadable_meta(value, path)
    {
        return Some(error);
    }
    let mut found = None;
    children(schema, value, path, |schema, value, path| {
        found = found.take().or_else(|| unreadable(schema, value, path));
    });
    found
}

fn unreadable_meta(value: &Value, path: &Path) -> Option<Error> {
    for field in ["apiVersion", "kind"] {
        if let Some(other) = value.get(field).filter(|value| !value.is_string()) {
            return Some(Error::invalid(
                &path.child(field),
                other.clone(),
                "must be a string",
            ));
        }
    }
    let metadata = value.get("metadata")?;
    let why = faulty_metadata(metadata)?;
    Some(Error::invalid(&path.child("metadata"), metadata.clone(), why))
}

/// Why Go can't read metadata.
fn faulty_metadata(metadata: &Value) -> Option<String> {
    let schema = builtin("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")?;
    if metadata.is_null() {
        return None;
    }
    schema.check(&mut metadata.clone()).type_error
}

fn node(schema: &Schema, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    if schema.embedded && value.is_object() {
        own(value, path, errors);
    }
    below(schema, value, path, errors);
}

fn below(schema: &Schema, value: &Value, path: &Path, errors: &mut Vec<Error>) {
    children(schema, value, path, |schema, value, path| {
        node(schema, value, path, errors)
    });
}

/// Calls `look` for the objects and lists below a value that the schema knows.
fn children(schema: &Schema, value: &Value, path: &Path, mut look: impl FnMut(&Schema, &Value, &Path)) {
    match value {
        Value::Object(map) => {
            for (name, value) in map
                .iter()
                .filter(|(_, value)| value.is_object() || value.is_array())
            {
                let is_meta = schema.embedded && META.contains(&name.as_str());
                match schema.properties.get(name.as_str()) {
                    Some(Ref::Named(_)) => {}
                    Some(_) if is_meta => {}
                    Some(field) => look(&field.get(), value, &path.child(name)),
                    None => {
                        if let Some(additional) = &schema.additional {
                            look(&additional.get(), value, &path.key(name));
                        }
                    }
                }
            }
        }
        Value::Array(items) => {
            let Some(element) = &schema.items else {
                return;
            };
            let element = element.get();
            for (at, item) in items.iter().enumerate() {
                look(&element, item, &path.index(at));
            }
        }
        _ => {}
    }
}

fn own(object: &Value, path: &Path, errors: &mut Vec<Error>) {
    for field in ["apiVersion", "kind"] {
        if object.get(field).is_none() {
            errors.push(Error::required(&path.child(field), ""));
        }
    }
    if let Some(version) = object.get("apiVersion") {
        typed(errors, &path.child("apiVersion"), version, |text| {
            (text.matches('/').count() > 1).then(|| format!("unexpected GroupVersion string: {text}"))
        });
    }
    if let Some(kind) = object.get("kind") {
        typed(errors, &path.child("kind"), kind, |text| {
            let wrong = name::dns1035_label(&text.to_lowercase());
            (!wrong.is_empty()).then(|| {
                format!(
                    "may have mixed case, but should otherwise match: {}",
                    wrong.join(",")
                )
            })
        });
    }
    let Some(metadata) = object.get("metadata") else {
        return;
    };
    let at = path.child("metadata");
    match faulty_metadata(metadata) {
        Some(why) => errors.push(Error::invalid(&at, metadata.clone(), why)),
        None => errors.extend(warren_registry::validate_embedded(metadata, &at)),
    }
}

fn typed(errors: &mut Vec<Error>, path: &Path, value: &Value, fault: impl FnOnce(&str) -> Option<String>) {
    let why = match value.as_str() {
        None => Some("must be a string".to_owned()),
        Some("") => Some("must not be empty".to_owned()),
        Some(text) => fault(text),
    };
    if let Some(why) = why {
        errors.push(Error::invalid(path, value.clone(), why));
    }
}
