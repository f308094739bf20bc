//! The body of a request: read up to a limit, told apart by its media type, parsed into a dynamic object.
//!
//! Finds fields that stand twice, which parsing loses. Knows nothing of kinds.

use std::cell::RefCell;
use std::fmt;

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use smol_str::SmolStr;
use warren_apimachinery::{Status, StatusReason};

use crate::body::Body;
use crate::malformed;
use crate::protobuf;

/// Upstream's limit for a request's body.
pub(crate) const LIMIT: usize = 3 * 1024 * 1024;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Yaml,
    Protobuf,
}

/// A parsed body.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// Full paths of fields that stood more than once; the last one counts.
    pub(crate) duplicates: Vec<String>,
}

/// The `Content-Type` without its parameters, in lower case; empty when absent.
pub(crate) fn media_type(header: Option<&str>) -> String {
    let text = header.unwrap_or_default();
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The media type of an object that is sent; absent means JSON.
///
/// # Errors
/// 415 for anything but JSON, YAML and protobuf.
pub(crate) fn object_media(header: Option<&str>) -> Result<Media, Status> {
    match media_type(header).as_str() {
        "" | "application/json" => Ok(Media::Json),
        "application/yaml" => Ok(Media::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(Media::Protobuf),
        _ => Err(unsupported(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// 415 in upstream's words.
pub(crate) fn unsupported(accepted: &str) -> Status {
    Status::new(
        StatusReason::UnsupportedMediaType,
        format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        ),
    )
}

/// Reads a body to its end.
///
/// # Errors
/// 413 above the limit; 400 when the client goes away in the middle.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, Status> {
    if body.size_hint().lower() > LIMIT as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame
            .map_err(|_| Status::bad_request("unexpected EOF"))?
            .into_data()
        else {
            continue;
        };
        if first.len() + more.len() + data.len() > LIMIT {
            return Err(too_large());
        }
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    if more.is_empty() {
        return Ok(first);
    }
    Ok([first.as_ref(), more.as_ref()].concat().into())
}

fn too_large() -> Status {
    Status::new(
        StatusReason::RequestEntityTooLarge,
        format!("Request entity too large: limit is {LIMIT}"),
    )
}

/// Parses an object of `kind`.
///
/// # Errors
/// 400 in upstream's words when it is malformed.
pub(crate) fn object(bytes: &[u8], media: Media, kind: &str) -> Result<Decoded, Status> {
    let decoded = match media {
        Media::Json => json(bytes).map_err(|why| {
            unrecognized(
                kind,
                &format!("couldn't get version/kind; json parse error: {why}"),
                bytes,
            )
        })?,
        Media::Yaml => yaml(bytes).map_err(|why| unrecognized(kind, &why, bytes))?,
        Media::Protobuf => Decoded {
            value: protobuf::decode(bytes).map_err(|why| unrecognized(kind, &why, bytes))?,
            duplicates: Vec::new(),
        },
    };
    if decoded.value.is_object() {
        return Ok(decoded);
    }
    let found = shape_name(&decoded.value);
    let why = format!(
        "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    );
    Err(unrecognized(kind, &why, bytes))
}

/// How Go's decoder names a JSON value.
pub(crate) fn shape_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn unrecognized(kind: &str, why: &str, bytes: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({})",
        summary(bytes)
    ))
}

/// The beginning of a body, as upstream shows it: text if it looks like JSON, else hexadecimal.
fn summary(bytes: &[u8]) -> String {
    const MAX: usize = 30;
    let (shown, dots) = match bytes.get(..MAX) {
        Some(head) if bytes.len() > MAX => (head, " ..."),
        _ => (bytes, ""),
    };
    match shown.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{dots}")
        }
    }
}

/// Parses JSON.
///
/// # Errors
/// What is wrong, in the words of Go's decoder.
pub(crate) fn json(bytes: &[u8]) -> Result<Decoded, String> {
    match strict_json(bytes) {
        // Go reads what is no UTF-8 as the replacement character.
        Err(_) if std::str::from_utf8(bytes).is_err() => {
            strict_json(String::from_utf8_lossy(bytes).as_bytes())
        }
        result => result,
    }
}

fn strict_json(bytes: &[u8]) -> Result<Decoded, String> {
    let duplicates = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Seed::new(&duplicates)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| malformed::words(bytes, &error))?;
    Ok(Decoded {
        value,
        duplicates: duplicates.into_inner().found,
    })
}

/// Parses YAML (or JSON, which is much of what is sent as YAML).
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Decoded, String> {
    let starts = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if starts == Some(&b'{')
        && let Ok(decoded) = json(bytes)
    {
        return Ok(decoded);
    }
    let duplicates = RefCell::default();
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let text = std::str::from_utf8(bytes).map_err(|_| "yaml: invalid UTF-8".to_owned())?;
    let value = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        Seed::new(&duplicates).deserialize(deserializer)
    })
    .map_err(|error| {
        format!(
            "error converting YAML to JSON: yaml: {}",
            first_line(&error.to_string())
        )
    })?;
    Ok(Decoded {
        value,
        duplicates: duplicates.into_inner().found,
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Where the parser is, and which fields it met twice.
#[derive(Default)]
struct Trail {
    at: Vec<Step>,
    found: Vec<String>,
}

enum Step {
    Field(SmolStr),
    Element(usize),
}

impl Trail {
    fn duplicate(&mut self, field: &str) {
        let mut path = String::new();
        for step in &self.at {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Element(at) => path.push_str(&format!("[{at}]")),
            }
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(field);
        self.found.push(path);
    }
}

/// Builds a `Value` and leaves a trail.
#[derive(Clone, Copy)]
struct Seed<'a> {
    trail: &'a RefCell<Trail>,
}

impl<'a> Seed<'a> {
    fn new(trail: &'a RefCell<Trail>) -> Self {
        Self { trail }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.trail.borrow_mut().at.push(Step::Element(items.len()));
            let item = access.next_element_seed(self);
            self.trail.borrow_mut().at.pop();
            match item? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key_seed(Key)? {
            if map.contains_key(&key) {
                self.trail.borrow_mut().duplicate(&key);
            }
            self.trail.borrow_mut().at.push(Step::Field(SmolStr::new(&key)));
            let value = access.next_value_seed(self);
            self.trail.borrow_mut().at.pop();
            map.insert(key, value?);
        }
        Ok(Value::Object(map))
    }
}

/// A key, as it is written: YAML's `1:` and `n:` are names here.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn fields_that_stand_twice_are_found_and_the_last_counts() {
        let body = br#"{"spec":{"replicas":1,"replicas":2,"c":[{"a":1},{"a":1,"a":3}]},"spec":{"x":1}}"#;
        let decoded = json(body).unwrap();
        assert_eq!(decoded.duplicates, ["spec.replicas", "spec.c[1].a", "spec"]);
        assert_eq!(decoded.value, value!({"spec": {"x": 1}}));
    }

    #[test]
    fn yaml_is_read_as_go_converts_it() {
        let body = b"a: {mode: 0644, on_: \"yes\", n: ~, f: 1.5}\nlist:\n- 1\n- x\n1: k\n";
        let decoded = yaml(body).unwrap();
        assert_eq!(
            decoded.value,
            value!({"a": {"mode": 420, "on_": "yes", "n": null, "f": 1.5}, "list": [1, "x"], "1": "k"})
        );
        let twice = yaml(b"a: 1\na: 2\n").unwrap();
        assert_eq!(
            (twice.value, twice.duplicates),
            (value!({"a": 2}), vec!["a".to_owned()])
        );
    }

    #[test]
    fn malformed_bodies_are_refused_in_upstreams_words() {
        let check = |body: &str, expect: &str| {
            assert_eq!(
                object(body.as_bytes(), Media::Json, "Pod").unwrap_err().message(),
                expect
            );
        };
        check(
            "{not json",
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character 'n' looking for beginning of object key string ({not json)",
        );
        check(
            "",
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        );
    }

    #[test]
    fn media_types_that_nobody_reads_are_refused() {
        assert_eq!(object_media(None).unwrap(), Media::Json);
        assert_eq!(
            object_media(Some("application/json; charset=utf-8")).unwrap(),
            Media::Json
        );
        assert_eq!(object_media(Some("application/YAML")).unwrap(), Media::Yaml);
        assert_eq!(
            object_media(Some("application/vnd.kubernetes.protobuf")).unwrap(),
            Media::Protobuf
        );
        assert_eq!(object_media(Some("text/plain")).unwrap_err().code(), 415);
    }
}
