//! Reading a configuration as upstream's strict decoder does: its kind, its fields, their types.

use serde_json::Value;
use warren_apimachinery::value::{ValueExt, decode_yaml, go_kind};

/// What a field may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Texts,
    Any,
}

impl Shape {
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string() || value.is_null(),
            Self::Texts => {
                value.is_null()
                    || value
                        .as_array()
                        .is_some_and(|all| all.iter().all(Value::is_string))
            }
            Self::Any => true,
        }
    }

    const fn go(self) -> &'static str {
        match self {
            Self::Text | Self::Any => "string",
            Self::Texts => "[]string",
        }
    }
}

/// Fields by their paths: `limits[].qps`.
pub(super) type Fields = &'static [(&'static str, Shape)];

/// Reads a text as a kind of one of some versions.
pub(super) fn read_as(text: &[u8], kind: &str, versions: &[&str], fields: Fields) -> Result<Value, String> {
    let decoded = decode_yaml(text).map_err(|error| error.to_string())?;
    if !decoded.duplicates.is_empty() {
        return Err(format!(
            "strict decoding error: {}",
            decoded.duplicates.join(", ")
        ));
    }
    check(&decoded.value, kind, versions, fields)?;
    Ok(decoded.value)
}

/// Whether a value is of a kind, and has only its fields.
pub(super) fn check(value: &Value, kind: &str, versions: &[&str], fields: Fields) -> Result<(), String> {
    is_of_kind(value, kind, versions)?;
    let mut found = Found::default();
    found.walk(value, "", "", fields);
    if let Some((path, shape, got)) = found.mistyped {
        let go = shape.go();
        return Err(format!(
            "json: cannot unmarshal {got} into Go struct field {kind}.{path} of type {go}"
        ));
    }
    match found.unknown.is_empty() {
        true => Ok(()),
        false => Err(format!("strict decoding error: {}", found.unknown.join(", "))),
    }
}

/// Only the kind: for plugins whose decoder takes what it does not know.
pub(super) fn is_of_kind(value: &Value, kind: &str, versions: &[&str]) -> Result<(), String> {
    let (version, named) = (value.text("/apiVersion"), value.text("/kind"));
    if named.is_empty() {
        return Err(format!("Object 'Kind' is missing in '{value}'"));
    }
    if version.is_empty() {
        return Err(format!("Object 'apiVersion' is missing in '{value}'"));
    }
    if named != kind || !versions.contains(&version) {
        return Err(format!("no kind {named:?} is registered for version {version:?}"));
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    unknown: Vec<String>,
    mistyped: Option<(String, Shape, &'static str)>,
}

impl Found {
    /// `path` as it is written, `pattern` without the numbers of list elements.
    fn walk(&mut self, value: &Value, path: &str, pattern: &str, fields: Fields) {
        if let Some((_, shape)) = fields.iter().find(|(field, _)| *field == pattern) {
            if !shape.takes(value) && self.mistyped.is_none() {
                self.mistyped = Some((pattern.replace("[]", ""), *shape, go_kind(value)));
            }
            return;
        }
        let leads = |pattern: &str| {
            let on = |rest: &str| rest.is_empty() || rest.starts_with('.') || rest.starts_with('[');
            fields
                .iter()
                .any(|(field, _)| field.strip_prefix(pattern).is_some_and(on))
        };
        if !path.is_empty() && !leads(pattern) {
            self.unknown.push(format!("unknown field {path:?}"));
            return;
        }
        let joined = |path: &str, key: &str| match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        for (key, value) in value.as_object().into_iter().flatten() {
            self.walk(value, &joined(path, key), &joined(pattern, key), fields);
        }
        for (at, value) in value.as_array().into_iter().flatten().enumerate() {
            self.walk(value, &format!("{path}[{at}]"), &format!("{pattern}[]"), fields);
        }
    }
}
