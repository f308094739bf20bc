//! Kubernetes' protobuf, read into dynamic objects: what typed Go clients (many commands of kubectl) send.
//!
//! Driven by a table of wire formats. Answers stay JSON: those clients accept both.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};
use warren_apimachinery::GroupVersion;
use warren_apimachinery::time;

/// What stands before every message.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may nest.
const DEPTH: usize = 100;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("../data/protobuf.tsv")));

struct Table {
    by_name: HashMap<&'static str, usize>,
    messages: Vec<Message>,
}

struct Message {
    form: Form,
    fields: Vec<Field>,
}

struct Field {
    number: u64,
    name: &'static str,
    repeat: Repeat,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Once,
    List,
    Map,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bytes,
    Bool,
    Int,
    Double,
    Message(usize),
}

/// What JSON makes of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Object,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    /// JSON in its bytes.
    Embedded,
    /// The list in its only field.
    List,
    /// `JSONSchemaPropsOrBool` and its likes: whichever field is set.
    Either,
}

impl Form {
    fn of(name: &str) -> Self {
        match name.rsplit('.').next().unwrap_or_default() {
            "Quantity" => Self::Quantity,
            "IntOrString" => Self::IntOrString,
            "Time" => Self::Time,
            "MicroTime" => Self::MicroTime,
            "RawExtension" | "FieldsV1" | "JSON" => Self::Embedded,
            "ExtraValue" => Self::List,
            "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray" => {
                Self::Either
            }
            _ => Self::Object,
        }
    }
}

impl Table {
    fn read(text: &'static str) -> Self {
        let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
        let by_name: HashMap<&str, usize> = lines
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (*name, at))
            .collect();
        let messages = lines
            .iter()
            .map(|(name, fields)| Message {
                form: Form::of(name),
                fields: fields
                    .split(' ')
                    .filter_map(|field| Field::read(field, &by_name))
                    .collect(),
            })
            .collect();
        Self { by_name, messages }
    }
}

impl Field {
    fn read(text: &'static str, by_name: &HashMap<&str, usize>) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let number = parts.next()?.parse().ok()?;
        let name = parts.next()?;
        let kind = parts.next()?;
        let (repeat, kind) = match (kind.strip_prefix('['), kind.strip_prefix('{')) {
            (Some(kind), _) => (Repeat::List, kind),
            (_, Some(kind)) => (Repeat::Map, kind),
            _ => (Repeat::Once, kind),
        };
        let kind = match kind {
            "s" => Kind::Text,
            "y" => Kind::Bytes,
            "b" => Kind::Bool,
            "i" => Kind::Int,
            "d" => Kind::Double,
            message => Kind::Message(*by_name.get(message)?),
        };
        Some(Self {
            number,
            name,
            repeat,
            kind,
        })
    }
}

/// Reads an object with its envelope.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let body = bytes.strip_prefix(MAGIC).ok_or_else(|| {
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]".to_owned()
    })?;
    let envelope = Envelope::read(body).ok_or_else(broken)?;
    let message = message_of(&envelope).ok_or_else(|| {
        format!(
            "no kind {:?} is registered for version {:?}",
            envelope.kind, envelope.api_version
        )
    })?;
    let mut value = message_value(message, envelope.raw, 0).ok_or_else(broken)?;
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".to_owned(), envelope.api_version.into());
        map.insert("kind".to_owned(), envelope.kind.into());
    }
    Ok(value)
}

fn broken() -> String {
    "the protobuf message is malformed".to_owned()
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

fn message_of(envelope: &Envelope<'_>) -> Option<usize> {
    let name = match envelope.kind.as_str() {
        // Registered in every group and version.
        "DeleteOptions" => "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
        kind => {
            let version = GroupVersion::parse(&envelope.api_version)?;
            warren_schema::definition_for(&version.group, &version.version, kind)?
        }
    };
    TABLE.by_name.get(name).copied()
}

/// A cursor over the wire format.
struct Wire<'a>(&'a [u8]);

enum Item<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    /// The next field; `Some(None)` at the end, `None` when the bytes are malformed.
    #[expect(clippy::option_option, reason = "the end and a failure are different things")]
    fn next(&mut self) -> Option<Option<(u64, Item<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let item = match tag & 7 {
            0 => Item::Number(self.varint()?),
            1 => Item::Fixed(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Item::Bytes(self.take(len)?)
            }
            5 => Item::Fixed(u64::from(u32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            _ => return None,
        };
        Some(Some((tag >> 3, item)))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for at in 0..10 {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A message in the form that JSON gives it.
fn message_value(message: usize, bytes: &[u8], depth: usize) -> Option<Value> {
    let message = TABLE.messages.get(message).filter(|_| depth < DEPTH)?;
    let mut map = Map::new();
    let mut wire = Wire(bytes);
    while let Some((number, item)) = wire.next()? {
        let Some(field) = message.fields.iter().find(|field| field.number == number) else {
            continue;
        };
        put(field, &item, depth, &mut map)?;
    }
    Some(match message.form {
        Form::Object => Value::Object(map),
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
        Repeat::Once => {
            let value = single(field.kind, item, depth)?;
            match value {
                Value::Object(inner) if field.name == "~" => map.extend(inner),
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
    use serde_json::json;

    use super::*;

    /// A field of bytes.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        out.extend_from_slice(content);
        out
    }

    fn sent(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), bytes(1, &meta), bytes(2, raw)].concat()
    }

    #[test]
    fn objects_are_read_with_maps_times_and_inlined_messages() {
        let time = vec![1 << 3, 0x80, 0xa3, 0xb5, 0xc9, 0x06];
        let entry = [bytes(1, b"k"), bytes(2, b"v")].concat();
        let metadata = [bytes(1, b"web"), bytes(8, &time), bytes(11, &entry)].concat();
        let volume = [bytes(1, b"data"), bytes(2, &bytes(2, b""))].concat();
        let spec = bytes(1, &volume);
        let pod = [bytes(1, &metadata), bytes(2, &spec)].concat();
        let value = decode(&sent("v1", "Pod", &pod)).unwrap();
        assert_eq!(value["metadata"]["name"], "web");
        assert_eq!(value["metadata"]["labels"], json!({"k": "v"}));
        assert_eq!(value["metadata"]["creationTimestamp"], "2025-12-01T08:27:44Z");
        assert_eq!(
            value["spec"]["volumes"],
            json!([{"name": "data", "emptyDir": {}}])
        );
        assert_eq!(
            (&value["apiVersion"], &value["kind"]),
            (&json!("v1"), &json!("Pod"))
        );
    }

    #[test]
    fn what_is_malformed_is_refused() {
        assert!(decode(b"{}").unwrap_err().contains("expected prefix"));
        let mut cut = sent("v1", "Pod", &bytes(1, b"abc"));
        cut.pop();
        assert!(decode(&cut).is_err());
        assert!(decode(&sent("v9", "Pod", b"")).unwrap_err().contains("no kind"));
    }

    #[test]
    fn every_message_of_the_table_is_complete() {
        let text = include_str!("../data/protobuf.tsv");
        for (line, message) in text.lines().zip(&TABLE.messages) {
            let (name, fields) = line.split_once('\t').unwrap();
            let expect = fields.split(' ').filter(|field| !field.is_empty()).count();
            assert_eq!(message.fields.len(), expect, "{name}");
        }
    }
}
