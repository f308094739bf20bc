//! Does a configuration fit its schema, as far as merging needs it? Everything else is validated later, when
//! the merged object is.

use serde_json::Value;
use warren_schema::{Schema, Type};

use super::element::PathElement;
use super::shape::{Form, Known, Shape};

/// What is wrong with `configuration`, in upstream's wording; `None` where nothing is.
pub(crate) fn check(schema: &Schema, configuration: &Value) -> Option<String> {
    let mut errors = Vec::new();
    node(&Shape::object(schema), configuration, "", &mut errors);
    match errors.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

fn node(shape: &Shape<'_>, value: &Value, path: &str, errors: &mut Vec<String>) {
    if let Some(message) = wrong_kind(shape, value) {
        errors.push(located(path, &message));
        return;
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let child = shape.child(name);
                let path = format!("{path}.{name}");
                if child.known == Known::No {
                    errors.push(format!("{path}: field not declared in schema"));
                    // Upstream does not look at the fields behind it.
                    return;
                } else {
                    node(&child.shape, value, &path, errors);
                }
            }
        }
        Value::Array(list) => elements(shape, list, path, errors),
        _ => {}
    }
}

fn elements(shape: &Shape<'_>, list: &[Value], path: &str, errors: &mut Vec<String>) {
    let items = shape.items();
    let form = match shape {
        Shape::Known { schema, .. } => match &schema.list {
            warren_schema::ListType::Atomic => Form::Leaf,
            warren_schema::ListType::Set => Form::Set,
            warren_schema::ListType::Map(keys) => Form::Keyed(keys),
        },
        Shape::Deduced => Form::Leaf,
    };
    let mut seen: Vec<PathElement> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let element = if form == Form::Leaf {
            PathElement::Index(i64::try_from(index).unwrap_or_default())
        } else {
            match Shape::element(&items, form, item) {
                Err(message) => {
                    errors.push(located(path, &format!("element {index}: {message}")));
                    return;
                }
                Ok(element) => {
                    if seen.contains(&element) {
                        errors.push(located(path, &format!("duplicate entries for key {element}")));
                    }
                    seen.push(element.clone());
                    element
                }
            }
        };
        node(&items, item, &format!("{path}{element}"), errors);
    }
}

fn wrong_kind(shape: &Shape<'_>, value: &Value) -> Option<String> {
    let Shape::Known { schema, .. } = shape else {
        return None;
    };
    match (schema.kind, value) {
        (_, Value::Null) | (Type::Any, _) => None,
        (Type::Object, Value::Object(_))
        | (Type::Array, Value::Array(_))
        | (Type::Boolean, Value::Bool(_))
        | (Type::Integer | Type::Number, Value::Number(_)) => None,
        (Type::String, Value::String(_)) => None,
        // Texts with a format are not checked further, nor are scalars that may be text or number.
        (Type::String, Value::Number(_) | Value::Bool(_))
            if schema.format.as_deref().is_some_and(|f| f != "byte") =>
        {
            None
        }
        (Type::IntOrString | Type::Quantity, Value::String(_) | Value::Number(_) | Value::Bool(_)) => None,
        (Type::Object, _) => Some(format!("expected map, got {}", wrapped(value))),
        (Type::Array, _) => Some(format!("expected list, got {}", wrapped(value))),
        (Type::String, _) => Some(format!(
            "expected string, got &value.valueUnstructured{{Value:{}}}",
            go_syntax(value)
        )),
        (Type::Boolean, _) => Some(format!("expected boolean, got {}", wrapped(value))),
        (Type::Integer | Type::Number, _) => {
            Some(format!("expected numeric (int or float), got {}", go_type(value)))
        }
        (Type::IntOrString | Type::Quantity, _) => {
            Some(format!("expected any scalar, got {}", wrapped(value)))
        }
    }
}

fn located(path: &str, message: &str) -> String {
    if path.is_empty() {
        message.to_owned()
    } else {
        format!("{path}: {message}")
    }
}

/// As Go prints upstream's wrapper of a value with `%v`.
fn wrapped(value: &Value) -> String {
    format!("&{{{}}}", plain(value))
}

/// A value as Go's `%v` prints it: `map[a:1 b:[x y]]`.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(name, value)| format!("{name}:{}", plain(value)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        scalar => scalar.to_string(),
    }
}

/// Go's `%#v`, for what may stand where text is expected.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Array(_) => format!("[]interface {{}}{}", plain(value)),
        Value::Object(_) => format!("map[string]interface {{}}{}", plain(value)),
        scalar => scalar.to_string(),
    }
}

/// Go's `%T`.
pub fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
