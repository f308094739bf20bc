//! Values from JSON, typed by their schema, and back to JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map as JsonMap, Number, Value as Json};
use warren_apimachinery::base64 as go_base64;

use super::{Instant, Key, List, Map, Opaque, Text, Value, time};
use crate::EvaluationError;
use crate::declared::{Declared, Kind};

/// What a JSON value is. Without a schema, whole numbers are `int`.
pub(crate) fn read<'a>(json: &'a Json, declared: Option<&'a Declared>) -> Result<Value<'a>, EvaluationError> {
    let Some(declared) = declared else {
        return Ok(dynamic(json));
    };
    let unfit = |wanted: &str| {
        let message = format!("invalid data, expected {wanted}, got {}", go_type(json));
        Err(EvaluationError::failed(message))
    };
    if json.is_null() {
        return if declared.nullable || matches!(declared.kind, Kind::Dyn | Kind::Any) {
            Ok(Value::Null)
        } else {
            let message = "invalid data, got null for schema with nullable=false";
            Err(EvaluationError::failed(message))
        };
    }
    match (&declared.kind, json) {
        (Kind::Dyn, json) => Ok(dynamic(json)),
        (Kind::Any, Json::Number(number)) => Ok(Value::Double(number.as_f64().unwrap_or_default())),
        (Kind::Any, Json::Array(items)) => Ok(Value::List(List::Json(items, Some(declared)))),
        (Kind::Any, Json::Object(fields)) => Ok(Value::Map(Map::Json(fields, Some(declared)))),
        (Kind::Any, json) => Ok(dynamic(json)),
        (Kind::IntOrString, Json::String(text)) => Ok(Value::String(Text::Borrowed(text))),
        (Kind::IntOrString, Json::Number(number)) if number.is_i64() => Ok(dynamic(json)),
        (Kind::IntOrString, _) => Err(EvaluationError::failed(
            "invalid data, expected XIntOrString value to be either a string or integer",
        )),
        (Kind::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Bool, _) => unfit("bool"),
        (Kind::Int, Json::Number(number)) => match number.as_i64() {
            Some(number) => Ok(Value::Int(number)),
            None => unfit("int"),
        },
        (Kind::Int, _) => unfit("int"),
        (Kind::Double, Json::Number(number)) => Ok(Value::Double(number.as_f64().unwrap_or_default())),
        (Kind::Double, _) => unfit("float"),
        (Kind::List { .. }, Json::Array(items)) => Ok(Value::List(List::Json(items, Some(declared)))),
        (Kind::List { .. }, _) => Err(EvaluationError::failed(
            "invalid data, expected an array for the provided schema with type=array",
        )),
        (Kind::Map(_) | Kind::EscapedMap(_) | Kind::Object(_), Json::Object(fields)) => {
            Ok(Value::Map(Map::Json(fields, Some(declared))))
        }
        (Kind::Map(_) | Kind::EscapedMap(_) | Kind::Object(_), _) => Err(EvaluationError::failed(
            "invalid data, expected a map for the provided schema with type=object",
        )),
        (kind, Json::String(text)) => of_text(kind, text),
        _ => unfit("string"),
    }
}

fn of_text<'a>(kind: &Kind, text: &'a str) -> Result<Value<'a>, EvaluationError> {
    match kind {
        Kind::Bytes => {
            let failed = |error: String| {
                EvaluationError::failed(format!("Invalid byte formatted string {text}: {error}"))
            };
            go_base64::checked(text).map_err(failed)?;
            let bytes = STANDARD.decode(text.replace(['\r', '\n'], ""));
            let bytes = bytes.map_err(|error| failed(error.to_string()))?;
            Ok(Value::Bytes(bytes.into()))
        }
        Kind::Duration => time::parse_words(text).map(Value::Duration).ok_or_else(|| {
            EvaluationError::failed(format!(
                "Invalid duration {text}: unable to parse {text} as duration"
            ))
        }),
        Kind::Date => Instant::parse_date(text).map(Value::Timestamp).map_err(|error| {
            EvaluationError::failed(format!("Invalid date formatted string {text}: {error}"))
        }),
        Kind::Timestamp => Instant::parse_date_time(text)
            .map(Value::Timestamp)
            .map_err(|error| {
                EvaluationError::failed(format!("Invalid date-time formatted string {text}: {error}"))
            }),
        _ => Ok(Value::String(Text::Borrowed(text))),
    }
}

fn dynamic(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, number) => Value::Double(number.unwrap_or_default()),
        },
        Json::String(text) => Value::String(Text::Borrowed(text)),
        Json::Array(items) => Value::List(List::Json(items, None)),
        Json::Object(fields) => Value::Map(Map::Json(fields, None)),
    }
}

/// What Go's decoder makes of a JSON value.
fn go_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "<nil>",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_i64() => "int64",
        Json::Number(_) => "float64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}

impl Value<'_> {
    /// The value as JSON; `None` for what JSON does not have: types, values of the libraries, absent
    /// optionals, numbers without end.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Uint(value) => Json::from(*value),
            Self::Double(value) => Json::Number(Number::from_f64(*value)?),
            Self::String(text) => Json::from(&**text),
            Self::Bytes(bytes) => Json::from(STANDARD.encode(bytes)),
            Self::Duration(nanos) => Json::from(time::format_duration(*nanos)),
            Self::Timestamp(at) => Json::from(at.to_string()),
            Self::List(List::Json(items, _)) => Json::Array(items.to_vec()),
            Self::List(List::Items(items) | List::Merged(items, _)) => {
                Json::Array(items.iter().map(Value::to_json).collect::<Option<_>>()?)
            }
            Self::Map(Map::Json(fields, _)) => Json::Object((*fields).clone()),
            Self::Map(Map::Entries(entries) | Map::Message(_, entries)) => {
                let mut fields = JsonMap::new();
                for (key, value) in &**entries {
                    let name = match key {
                        Key::Bool(value) => value.to_string(),
                        Key::Int(value) => value.to_string(),
                        Key::Uint(value) => value.to_string(),
                        Key::String(text) => text.to_string(),
                        Key::Other(..) => return None,
                    };
                    fields.insert(name, value.to_json()?);
                }
                Json::Object(fields)
            }
            Self::Optional(Some(value)) => value.to_json()?,
            Self::Opaque(Opaque::Quantity(quantity)) => Json::from(quantity.to_string()),
            Self::Map(Map::Fields(_)) | Self::Optional(None) | Self::Type(_) | Self::Opaque(_) => {
                return None;
            }
        })
    }
}
