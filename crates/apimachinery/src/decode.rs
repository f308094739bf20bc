//! Decoding of what clients send: JSON and YAML into a dynamic object, with a bound on depth, and with the
//! duplicate keys named that upstream's strict decoder names.
//!
//! Does not know schemas: unknown fields and wrong types are `schema`'s.

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

mod lenient;
mod lines;
mod order;
mod repeated;
mod syntax;
mod yaml;

pub use lines::lines;
pub use order::FieldOrder;

/// How deep JSON may nest: what `serde_json` reads wherever it is used.
const MAX_JSON_DEPTH: usize = 127;
/// Upstream reports at most this many strict errors.
const MAX_DUPLICATES: usize = 100;

/// What was decoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The object; the last of duplicate keys wins, as in Go.
    pub value: Value,
    /// `duplicate field "spec.replicas"`, in the order of the text, each once, at most 100. In YAML, as upstream
    /// says it: `line 9: key "replicas" already set in map`.
    pub duplicates: Vec<String>,
}

/// Why input could not be decoded; the text is upstream's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON: the text of Go's `encoding/json`, such as
    /// `invalid character 'n' looking for beginning of object key string`.
    #[error("{0}")]
    Json(String),
    /// Not YAML, or beyond the bounds on aliases and size: `yaml: line 2: …`.
    #[error("yaml: {0}")]
    Yaml(String),
    /// YAML that says what JSON cannot: `json: unsupported value: +Inf`.
    #[error("json: {0}")]
    Value(String),
    /// Nested too deep, by this opening.
    #[error("invalid character '{0}' exceeded max depth")]
    Depth(char),
}

/// Decodes one JSON document. Bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD, as in Go.
///
/// Bounds: 127 levels of nesting (upstream's is 10,000), so that whatever reads what was stored needs no more stack
/// than any thread has; memory is at most about ninety times the length of the text.
///
/// # Errors
/// When it is not JSON, has more behind it than blanks, or nests too deep.
pub fn decode_json(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if std::str::from_utf8(bytes).is_err() {
        return read_json(String::from_utf8_lossy(bytes).as_bytes());
    }
    read_json(bytes)
}

fn read_json(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut state = State::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = state.seed().deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(state.finish(value)),
        Err(error) => match syntax::explain(bytes) {
            Some(why) => Err(DecodeError::Json(why)),
            None if error.to_string().starts_with("recursion limit") => {
                Err(DecodeError::Depth(syntax::opening(bytes, MAX_JSON_DEPTH)))
            }
            // Go would read it.
            None => match lenient::without_halves(bytes) {
                Some(mended) => read_json(&mended),
                None => Err(DecodeError::Json(lenient::beyond_range(
                    bytes,
                    &error.to_string(),
                ))),
            },
        },
    }
}

/// Decodes the first document of a YAML text, which may be JSON, as upstream reads no further. Aliases, nodes and
/// depth are bounded; keys that are no text become text, and `0644` is octal, as in Go.
///
/// # Errors
/// When it is not YAML, or exceeds a bound.
pub fn decode_yaml(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let text = yaml::text(bytes)?;
    let text = yaml::first_document(&text);
    // Much of what is sent as YAML is JSON, which is read faster.
    let mut decoded = if text.trim_start().starts_with('{') {
        decode_json(text.as_bytes()).or_else(|_| yaml::read(text))?
    } else {
        yaml::read(text)?
    };
    if !decoded.duplicates.is_empty() {
        decoded.duplicates = repeated::repeated(text, yaml::options(), MAX_DUPLICATES);
    }
    Ok(decoded)
}

/// How a body begins, for an error that quotes it: upstream shows 30 bytes, in hexadecimal unless they look
/// like a JSON object.
pub fn summary(bytes: &[u8]) -> String {
    const LENGTH: usize = 30;
    let dots = if bytes.len() > LENGTH { " ..." } else { "" };
    let head = bytes.get(..LENGTH).unwrap_or(bytes);
    match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(head)),
        Some(_) => {
            let hex: String = head.iter().map(|b| format!("{b:02x}")).collect();
            format!("{hex}{dots}")
        }
    }
}

/// Where the decoder stands and what it found.
#[derive(Default)]
struct State {
    path: String,
    duplicates: Vec<String>,
}

impl State {
    fn seed(&mut self) -> Node<'_> {
        Node { state: self }
    }

    fn finish(self, value: Value) -> Decoded {
        Decoded {
            value,
            duplicates: self.duplicates,
        }
    }

    /// Runs `read` with `step` put behind the path.
    fn within<T>(&mut self, step: impl FnOnce(&mut String), read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        step(&mut self.path);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    fn note_duplicate(&mut self) {
        let message = format!("duplicate field {:?}", self.path);
        if self.duplicates.len() < MAX_DUPLICATES && !self.duplicates.contains(&message) {
            self.duplicates.push(message);
        }
    }
}

/// Reads one value, whatever it is.
struct Node<'s> {
    state: &'s mut State,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
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

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let index = items.len();
            let step = |path: &mut String| {
                // Writing to a string does not fail.
                let _ = write!(path, "[{index}]");
            };
            match self
                .state
                .within(step, |state| access.next_element_seed(state.seed()))?
            {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let step = |path: &mut String| {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            };
            let value = self.state.within(step, |state| {
                if map.contains_key(&key) {
                    state.note_duplicate();
                }
                access.next_value_seed(state.seed())
            })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn names_duplicate_keys_by_their_path_and_keeps_the_last() {
        let text = br#"{"a":1,"spec":{"c":[{"x":1,"x":2}],"r":1,"r":{"d":1}},"a":2,"a":3}"#;
        let decoded = decode_json(text).unwrap();
        assert_eq!(
            decoded.value,
            json!({"a": 3, "spec": {"c": [{"x": 2}], "r": {"d": 1}}})
        );
        assert_eq!(
            decoded.duplicates,
            [
                "duplicate field \"spec.c[0].x\"",
                "duplicate field \"spec.r\"",
                "duplicate field \"a\""
            ]
        );
        let decoded = decode_yaml(b"a: 1\nb:\n  c: 1\n  c: 2\n").unwrap();
        assert_eq!(decoded.value, json!({"a": 1, "b": {"c": 2}}));
        assert_eq!(decoded.duplicates, ["line 4: key \"c\" already set in map"]);
        let decoded = decode_yaml(b"a:\n  b: 1\n  b: 2\na:\n  c: [{d: 1, d: 2}]\n").unwrap();
        assert_eq!(
            decoded.duplicates,
            [
                "line 3: key \"b\" already set in map",
                "line 5: key \"d\" already set in map",
                "line 5: key \"a\" already set in map"
            ]
        );
        let decoded = decode_yaml(br#"{"a": 1, "a": 2}"#).unwrap();
        assert_eq!(decoded.duplicates, ["line 1: key \"a\" already set in map"]);
    }

    #[test]
    fn refuses_what_is_no_json_with_go_words() {
        for (text, expect) in [
            ("", "unexpected end of JSON input"),
            (
                "{not json",
                "invalid character 'n' looking for beginning of object key string",
            ),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (
                r#"{"a":1 "b"}"#,
                "invalid character '\"' after object key:value pair",
            ),
            (
                r#"{"a":1,}"#,
                "invalid character '}' looking for beginning of object key string",
            ),
            (r#"{"a":"#, "unexpected end of JSON input"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            (r#""\x""#, "invalid character 'x' in string escape code"),
            (
                r#""\u12g""#,
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("tru'", "invalid character '\\'' in literal true (expecting 'e')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            (
                "1.x",
                "invalid character 'x' after decimal point in numeric literal",
            ),
            ("1e+}", "invalid character '}' in exponent of numeric literal"),
        ] {
            assert_eq!(
                decode_json(text.as_bytes()).unwrap_err().to_string(),
                expect,
                "{text}"
            );
        }
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(decode_json(deep.as_bytes()), Err(DecodeError::Depth('[')));
    }

    #[test]
    fn reads_yaml_within_bounds() {
        let decoded = decode_yaml(b"a: &x {b: [1, 2.5, null, 'yes']}\nc: *x\n8080: true\n").unwrap();
        let inner = json!({"b": [1, 2.5, null, "yes"]});
        assert_eq!(decoded.value, json!({"a": inner, "c": inner, "8080": true}));
        let error = decode_yaml(b"a: b\nc: d: e\n").unwrap_err().to_string();
        assert!(error.starts_with("yaml: line 2: "), "{error}");
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(decode_yaml(bomb.as_bytes()).is_err());
        assert!(decode_yaml(format!("{}{}", "[".repeat(500), "]".repeat(500)).as_bytes()).is_err());
    }

    #[test]
    fn reads_yaml_as_go_converts_it() {
        let text = b"a: {mode: 0644, on_: \"yes\", n: ~, f: 1.5}\nlist:\n- 1\n- x\n1: k\n";
        assert_eq!(
            decode_yaml(text).unwrap().value,
            json!({"a": {"mode": 420, "on_": "yes", "n": null, "f": 1.5}, "list": [1, "x"], "1": "k"})
        );
        assert!(decode_yaml(b"a: .inf\n").is_err());
        assert!(decode_yaml(b"a: \xff\n").is_err());
    }

    #[test]
    fn reads_json_that_only_go_reads() {
        let decoded =
            decode_json(br#"{"a":"\ud800","b":"\ud83d\ude00","c":"\\ud800","d":"\udc00x"}"#).unwrap();
        assert_eq!(
            decoded.value,
            json!({"a": "\u{fffd}", "b": "\u{1f600}", "c": "\\ud800", "d": "\u{fffd}x"})
        );
        assert_eq!(
            decode_json(br#"{"s": "1e999", "a": 1e999}"#)
                .unwrap_err()
                .to_string(),
            "json: cannot unmarshal number 1e999 into Go value of type float64"
        );
    }

    #[test]
    fn what_is_as_large_as_a_body_may_be_is_read_or_refused_in_time() {
        const LIMIT: usize = 3 * 1024 * 1024;
        let labels: String = (0..100_000).map(|at| format!("\"k{at}\":\"v\",")).collect();
        let doubled = format!("{{{labels}\"k1\":\"w\"}}");
        let began = std::time::Instant::now();
        assert_eq!(decode_json("[".repeat(LIMIT).as_bytes()).unwrap_err(), {
            DecodeError::Json("invalid character '[' exceeded max depth".to_owned())
        });
        assert!(decode_json("{\"a\":".repeat(LIMIT / 5).as_bytes()).is_err());
        assert!(decode_json(format!("[{}0]", "0,".repeat(LIMIT / 2)).as_bytes()).is_ok());
        assert!(decode_yaml("[".repeat(LIMIT).as_bytes()).is_err());
        assert!(decode_yaml("- ".repeat(LIMIT / 2).as_bytes()).is_err());
        assert_eq!(decode_json(doubled.as_bytes()).unwrap().duplicates.len(), 1);
        assert_eq!(decode_yaml(doubled.as_bytes()).unwrap().duplicates.len(), 1);
        // Far above what it takes, far below what a quadratic reader takes.
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }

    #[test]
    fn quotes_the_beginning_of_a_body_as_upstream_does() {
        assert_eq!(summary(b""), "<empty>");
        assert_eq!(summary(b"{not json"), "{not json");
        assert_eq!(summary(&[b'{'; 31]), format!("{} ...", "{".repeat(30)));
        assert_eq!(summary(b"ab"), "6162");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode_json(&bytes);
            let _ = decode_yaml(&bytes);
        }

        #[test]
        fn what_was_written_reads_back(keys in proptest::collection::btree_map("[a-z/.]{0,8}", any::<i64>(), 0..6), text in ".*") {
            let value = json!({"map": keys, "list": [text.clone(), null, 1.5], "text": text});
            let decoded = decode_json(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(decoded, Decoded { value, duplicates: Vec::new() });
        }

        #[test]
        fn what_is_no_json_is_explained(text in "[\\[\\]{}:,\"a1.e+\\\\u-]{0,16}") {
            let explained = syntax::explain(text.as_bytes()).is_some();
            let parses = serde_json::from_str::<Value>(&text).is_ok();
            // Lone surrogates and huge numbers are well-formed to Go's scanner.
            prop_assert!(explained != parses || (!explained && !parses));
        }

        #[test]
        fn deep_text_is_read_or_refused(opens in "[\\[{\":a ,]{0,400}", times in 1_usize..400) {
            let text = opens.repeat(times);
            let _ = decode_json(text.as_bytes());
            let _ = decode_yaml(text.as_bytes());
        }
    }
}
