//! OpenAPI v2 as the protobuf that client-go reads: messages of `openapi.v2` (gnostic), made from the JSON document.
//!
//! kubectl asks for it where v3 knows nothing of a kind, and older ones always do. Definitions and paths are read one
//! after another, so that a document never stands in memory as a tree. Of what a document may hold, only what ours hold
//! is written.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// Transcodes the document `/openapi/v2`. Empty when `document` is no such document.
pub fn v2_protobuf(document: &[u8]) -> Vec<u8> {
    let mut out = Message::default();
    let Ok(document) = serde_json::from_slice::<Members<'_>>(document) else {
        return out.0;
    };
    let members = |name: &str| -> Members<'_> {
        let raw = document.get(name).map_or("{}", |raw| raw.get());
        serde_json::from_str(raw).unwrap_or_default()
    };
    out.text(1, "2.0");
    if let Some(raw) = document.get("info") {
        out.message(2, &info(&read(raw)));
    }
    let mut paths = Message::default();
    for (path, item) in members("paths") {
        paths.message(2, &named(&path, &path_item(&read(item))));
    }
    out.message(8, &paths);
    let mut definitions = Message::default();
    for (name, definition) in members("definitions") {
        definitions.message(1, &named(&name, &schema(&read(definition))));
    }
    out.message(9, &definitions);
    out.0
}

/// An object whose values are not yet read.
type Members<'a> = BTreeMap<String, &'a RawValue>;

fn read(raw: &RawValue) -> Value {
    // It was part of a document that was read.
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// A message in the making; fields in the order of calls.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn string(&mut self, field: u64, value: &Value) {
        if let Some(text) = value.as_str() {
            self.text(field, text);
        }
    }

    fn strings(&mut self, field: u64, value: &Value) {
        for text in value.as_array().into_iter().flatten() {
            self.string(field, text);
        }
    }

    fn boolean(&mut self, field: u64, value: &Value) {
        if value.as_bool() == Some(true) {
            self.varint(field << 3);
            self.varint(1);
        }
    }

    /// `Any`: the value as YAML, which JSON is.
    fn any(&mut self, field: u64, value: &Value) {
        let mut any = Self::default();
        any.text(2, &format!("{value}\n"));
        self.message(field, &any);
    }

    /// One entry of `vendor_extension`.
    fn extension(&mut self, field: u64, name: &str, value: &Value) {
        let mut entry = Self::default();
        entry.text(1, name);
        entry.any(2, value);
        self.message(field, &entry);
    }
}

/// An entry of a map: its key and its value.
fn named(name: &str, value: &Message) -> Message {
    let mut out = Message::default();
    out.text(1, name);
    out.message(2, value);
    out
}

/// A message whose one field is `message`: a choice of a `oneof`, or a wrapper.
fn wrapped(field: u64, message: &Message) -> Message {
    let mut out = Message::default();
    out.message(field, message);
    out
}

fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(name, value)| (name.as_str(), value))
}

fn info(value: &Value) -> Message {
    let mut out = Message::default();
    for (name, value) in fields(value) {
        match name {
            "title" => out.string(1, value),
            "version" => out.string(2, value),
            _ => {}
        }
    }
    out
}

fn path_item(value: &Value) -> Message {
    let mut out = Message::default();
    for (name, value) in fields(value) {
        match name {
            "get" => out.message(2, &operation(value)),
            "put" => out.message(3, &operation(value)),
            "post" => out.message(4, &operation(value)),
            "delete" => out.message(5, &operation(value)),
            "options" => out.message(6, &operation(value)),
            "head" => out.message(7, &operation(value)),
            "patch" => out.message(8, &operation(value)),
            "parameters" => parameters(&mut out, 9, value),
            _ if name.starts_with("x-") => out.extension(10, name, value),
            _ => {}
        }
    }
    out
}

fn operation(value: &Value) -> Message {
    let mut out = Message::default();
    for (name, value) in fields(value) {
        match name {
            "tags" => out.strings(1, value),
            "description" => out.string(3, value),
            "operationId" => out.string(5, value),
            "produces" => out.strings(6, value),
            "consumes" => out.strings(7, value),
            "parameters" => parameters(&mut out, 8, value),
            "responses" => out.message(9, &responses(value)),
            "schemes" => out.strings(10, value),
            "deprecated" => out.boolean(11, value),
            _ if name.starts_with("x-") => out.extension(13, name, value),
            _ => {}
        }
    }
    out
}

fn parameters(out: &mut Message, field: u64, value: &Value) {
    for value in value.as_array().into_iter().flatten() {
        let place = value.get("in").and_then(Value::as_str).unwrap_or_default();
        let parameter = match place {
            "body" => wrapped(1, &body_parameter(value)),
            "path" => wrapped(2, &wrapped(4, &plain_parameter(value, PATH))),
            "header" => wrapped(2, &wrapped(1, &plain_parameter(value, PATH))),
            _ => wrapped(2, &wrapped(3, &plain_parameter(value, QUERY))),
        };
        out.message(field, &wrapped(1, &parameter));
    }
}

fn body_parameter(value: &Value) -> Message {
    let mut out = Message::default();
    for (name, value) in fields(value) {
        match name {
            "description" => out.string(1, value),
            "name" => out.string(2, value),
            "in" => out.string(3, value),
            "required" => out.boolean(4, value),
            "schema" => out.message(5, &schema(value)),
            _ => {}
        }
    }
    out
}

/// The numbers of `type`, `format` and `uniqueItems`, which are all that differs between these messages.
type Numbers = (u64, u64, u64);
const PATH: Numbers = (5, 6, 19);
const QUERY: Numbers = (6, 7, 20);

fn plain_parameter(value: &Value, (kind, format, unique): Numbers) -> Message {
    let mut out = Message::default();
    for (name, value) in fields(value) {
        match name {
            "required" => out.boolean(1, value),
            "in" => out.string(2, value),
            "description" => out.string(3, value),
            "name" => out.string(4, value),
            "type" => out.string(kind, value),
            "format" => out.string(format, value),
            "uniqueItems" => out.boolean(unique, value),
            _ => {}
        }
    }
    out
}

fn responses(value: &Value) -> Message {
    let mut out = Message::default();
    for (code, value) in fields(value) {
        let mut response = Message::default();
        for (name, value) in fields(value) {
            match name {
                "description" => response.string(1, value),
                "schema" => response.message(2, &wrapped(1, &schema(value))),
                _ => {}
            }
        }
        out.message(1, &named(code, &wrapped(1, &response)));
    }
    out
}

fn schema(value: &Value) -> Message {
    let mut out = Message::default();
    for (name, value) in fields(value) {
        match name {
            "$ref" => out.string(1, value),
            "format" => out.string(2, value),
            "title" => out.string(3, value),
            "description" => out.string(4, value),
            "default" => out.any(5, value),
            "pattern" => out.string(13, value),
            "uniqueItems" => out.boolean(16, value),
            "required" => out.strings(19, value),
            "enum" => {
                for value in value.as_array().into_iter().flatten() {
                    out.any(20, value);
                }
            }
            "additionalProperties" if value.is_object() => {
                out.message(21, &wrapped(1, &schema(value)));
            }
            "additionalProperties" => {
                let mut item = Message::default();
                item.boolean(2, value);
                out.message(21, &item);
            }
            "type" => {
                let mut types = Message::default();
                types.string(1, value);
                types.strings(1, value);
                out.message(22, &types);
            }
            "items" => out.message(23, &wrapped(1, &schema(value))),
            "allOf" => {
                for value in value.as_array().into_iter().flatten() {
                    out.message(24, &schema(value));
                }
            }
            "properties" => {
                let mut properties = Message::default();
                for (name, value) in fields(value) {
                    properties.message(1, &named(name, &schema(value)));
                }
                out.message(25, &properties);
            }
            _ if name.starts_with("x-") => out.extension(31, name, value),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(message: &Message, expect: &[u8]) {
        assert_eq!(message.0, expect);
    }

    #[test]
    fn fields_are_written_by_number_and_length() {
        check(&schema(&json!({"type": "string"})), b"\xb2\x01\x08\x0a\x06string");
        check(
            &schema(&json!({"$ref": "#/definitions/a"})),
            b"\x0a\x0f#/definitions/a",
        );
        let extension = b"\xfa\x01\x11\x0a\x03x-a\x12\x0a\x12\x08{\"b\":1}\n";
        check(&schema(&json!({"x-a": {"b": 1}})), extension);
    }

    #[test]
    fn what_is_no_document_makes_none() {
        assert!(v2_protobuf(b"[]").is_empty());
    }
}
