//! From protobuf to dynamic objects: what typed Go clients send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};
use warren_apimachinery::time;

use super::MAGIC;
use super::table::{Field, Form, Kind, Repeat, TABLE, message_of};
use super::wire::{Item, Wire};

/// How deep messages may nest.
const DEPTH: usize = 100;

/// Why bytes are no object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// In upstream's words where it has some.
    #[error("{0}")]
    Malformed(String),
    /// A kind that is no built-in one.
    #[error(
        "no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\""
    )]
    UnknownKind { api_version: String, kind: String },
}

/// Reads an object with its envelope. Takes at most 20 times the memory of its bytes.
///
/// # Errors
/// Why it is none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, Refused> {
    let malformed = |why: &str| Refused::Malformed(why.to_owned());
    if bytes.is_empty() {
        return Err(malformed("empty data"));
    }
    let body = bytes.strip_prefix(MAGIC).ok_or_else(|| {
        malformed("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    })?;
    if body.is_empty() {
        return Err(malformed("empty body"));
    }
    let broken = || malformed("the protobuf message is malformed");
    let envelope = Envelope::read(body).ok_or_else(broken)?;
    let Some(message) = message_of(&envelope.api_version, &envelope.kind) else {
        return Err(Refused::UnknownKind {
            api_version: envelope.api_version,
            kind: envelope.kind,
        });
    };
    let mut value = message_value(message, envelope.raw, 0).ok_or_else(broken)?;
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".to_owned(), envelope.api_version.into());
        map.insert("kind".to_owned(), envelope.kind.into());
    }
    Ok(value)
}

/// `runtime.Unknown`
#[derive(Default)]
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut envelope = Self::default();
        let mut wire = Wire(bytes);
        while let Some((number, item)) = wire.next()? {
            match (number, item) {
                (1, Item::Bytes(bytes)) => {
                    let mut meta = Wire(bytes);
                    while let Some((number, item)) = meta.next()? {
                        match (number, item) {
                            (1, Item::Bytes(text)) => envelope.api_version = text_of(text),
                            (2, Item::Bytes(text)) => envelope.kind = text_of(text),
                            _ => {}
                        }
                    }
                }
                (2, Item::Bytes(raw)) => envelope.raw = raw,
                _ => {}
            }
        }
        Some(envelope)
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A message in the form that JSON gives it.
fn message_value(message: usize, bytes: &[u8], depth: usize) -> Option<Value> {
    let message = TABLE.get(message).filter(|_| depth < DEPTH)?;
    let mut map = Map::new();
    let mut wire = Wire(bytes);
    while let Some((number, item)) = wire.next()? {
        let Some(field) = message.field(number) else {
            continue;
        };
        let is_zero = matches!(item, Item::Number(0) | Item::Bytes([]));
        if is_zero && message.form == Form::Sparse && field.repeat == Repeat::Always {
            continue;
        }
        put(field, &item, depth, &mut map)?;
    }
    Some(match message.form {
        Form::Object | Form::Sparse => Value::Object(map),
        Form::Quantity => map.remove("string").unwrap_or_else(|| "0".into()),
        Form::IntOrString => match map.get("type").and_then(Value::as_i64) {
            Some(1) => map.remove("strVal").unwrap_or_else(|| "".into()),
            _ => map.remove("intVal").unwrap_or_else(|| 0.into()),
        },
        Form::Time => moment(&map).map_or(Value::Null, |at| time::format(at).into()),
        Form::MicroTime => moment(&map).map_or(Value::Null, |at| time::format_micro(at).into()),
        Form::Embedded => embedded(bytes)?,
        Form::List => map.remove("items").unwrap_or_else(|| Value::Array(Vec::new())),
        Form::Either => either(map),
    })
}

fn put(field: &Field, item: &Item<'_>, depth: usize, map: &mut Map<String, Value>) -> Option<()> {
    match field.repeat {
        Repeat::Always | Repeat::Optional => {
            let value = single(field.kind, item, depth)?;
            match value {
                Value::Object(inner) if field.is_inlined() => map.extend(inner),
                value => {
                    map.insert(field.name.to_owned(), value);
                }
            }
        }
        Repeat::List => {
            let value = single(field.kind, item, depth)?;
            let list = map.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut()?.push(value);
        }
        Repeat::Map => {
            let Item::Bytes(bytes) = item else { return None };
            let (key, value) = entry(field.kind, bytes, depth)?;
            let entries = map.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            entries.as_object_mut()?.insert(key, value);
        }
    }
    Some(())
}

fn entry(kind: Kind, bytes: &[u8], depth: usize) -> Option<(String, Value)> {
    let mut key = String::new();
    let mut value = None;
    let mut wire = Wire(bytes);
    while let Some((number, item)) = wire.next()? {
        match (number, &item) {
            (1, Item::Bytes(text)) => key = text_of(text),
            (2, item) => value = Some(single(kind, item, depth)?),
            _ => {}
        }
    }
    let value = match (value, kind) {
        (Some(value), _) => value,
        (None, Kind::Text | Kind::Bytes) => "".into(),
        (None, Kind::Message(message)) => message_value(message, &[], depth + 1)?,
        (None, _) => 0.into(),
    };
    Some((key, value))
}

fn single(kind: Kind, item: &Item<'_>, depth: usize) -> Option<Value> {
    Some(match (kind, item) {
        (Kind::Text, Item::Bytes(bytes)) => text_of(bytes).into(),
        (Kind::Bytes, Item::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::Bool, Item::Number(number)) => Value::Bool(*number != 0),
        // Negative numbers are sign-extended to 64 bits on the wire.
        (Kind::Int, Item::Number(number)) => number.cast_signed().into(),
        (Kind::Double, Item::Fixed(bits)) => {
            Number::from_f64(f64::from_bits(*bits)).map_or(Value::Null, Value::Number)
        }
        (Kind::Message(message), Item::Bytes(bytes)) => message_value(message, bytes, depth + 1)?,
        _ => return None,
    })
}

/// A moment; `None` for Go's zero time, which is sent as nothing.
fn moment(map: &Map<String, Value>) -> Option<Timestamp> {
    let part = |name: &str| map.get(name).and_then(Value::as_i64);
    let nanos = part("nanos")
        .and_then(|nanos| i32::try_from(nanos).ok())
        .unwrap_or(0);
    Timestamp::new(part("seconds")?, nanos).ok()
}

/// JSON that stands in a message's first field.
fn embedded(bytes: &[u8]) -> Option<Value> {
    let mut wire = Wire(bytes);
    match wire.next()? {
        Some((1, Item::Bytes(raw))) if !raw.is_empty() => serde_json::from_slice(raw).ok(),
        _ => Some(Value::Null),
    }
}

fn either(mut map: Map<String, Value>) -> Value {
    for name in ["schema", "jSONSchemas", "property"] {
        if let Some(value) = map.remove(name) {
            return value;
        }
    }
    map.remove("allows").unwrap_or(Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;

    #[test]
    fn messages_that_nest_without_end_are_refused() {
        let schema = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
        let message = TABLE.find(schema).unwrap();
        let not = TABLE
            .get(message)
            .unwrap()
            .fields
            .iter()
            .find(|field| field.name == "not");
        let mut bytes = Vec::new();
        for _ in 0..DEPTH - 1 {
            wire::enclose(&mut bytes, not.unwrap().number, 0);
        }
        assert!(message_value(message, &bytes, 0).is_some());
        for _ in 0..2_000 {
            wire::enclose(&mut bytes, not.unwrap().number, 0);
        }
        assert!(message_value(message, &bytes, 0).is_none());
    }
}
