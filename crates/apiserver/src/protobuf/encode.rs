//! From an object's JSON to protobuf, in one pass over its bytes: no tree is built.
//!
//! The bytes are those of Go's encoder: fields by number, maps by key, and the fields that Go's structs always have
//! written with their zero when JSON leaves them out.

use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use warren_apimachinery::time;

use super::field::{Single, Whole, not_fitting};
use super::table::{Form, INLINED, Kind, Message, Place, Repeat, TABLE};
use super::wire;

/// Appends the message that `json` describes.
///
/// # Errors
/// When the JSON is of another shape than the message.
pub(super) fn message(number: usize, json: &[u8], out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let mut scratch = Vec::new();
    let writer = Writer {
        out,
        scratch: &mut scratch,
        message: TABLE
            .get(number)
            .ok_or_else(|| serde_json::Error::custom("no such message"))?,
    };
    let mut json = serde_json::Deserializer::from_slice(json);
    writer.deserialize(&mut json)?;
    json.end()
}

/// Appends one message's content; the caller encloses it.
pub(super) struct Writer<'w> {
    pub(super) out: &'w mut Vec<u8>,
    /// Where fields are put into their order; empty between messages.
    pub(super) scratch: &'w mut Vec<u8>,
    pub(super) message: &'static Message,
}

/// A field that was written: which, and where its bytes stand.
struct Part {
    place: Place,
    bytes: Range<usize>,
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.message.form == Form::Embedded {
            let raw = <&RawValue>::deserialize(json)?;
            if raw.get() != "null" {
                wire::put_bytes(self.out, 1, raw.get().as_bytes());
            }
            return Ok(());
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the JSON of {:?}", self.message.form)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.extend_from_slice(&self.message.zero);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if self.message.form != Form::Either {
            return Err(E::custom("a boolean where a message is expected"));
        }
        wire::put_number(self.out, 1, u64::from(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.message.form {
            Form::IntOrString => int_or_string(self.out, 0, value, ""),
            Form::Quantity => wire::put_bytes(self.out, 1, value.to_string().as_bytes()),
            _ => return Err(E::custom("a number where a message is expected")),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_i64(value.cast_signed())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if self.message.form != Form::Quantity {
            return Err(E::custom("a number where a message is expected"));
        }
        wire::put_bytes(self.out, 1, value.to_string().as_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let moment = match self.message.form {
            Form::Quantity => {
                wire::put_bytes(self.out, 1, text.as_bytes());
                return Ok(());
            }
            Form::IntOrString => {
                int_or_string(self.out, 1, 0, text);
                return Ok(());
            }
            Form::Time => time::parse(text).map(|at| (at.as_second(), 0)),
            Form::MicroTime => time::parse_micro(text).map(micro),
            _ => return Err(E::custom("text where a message is expected")),
        };
        let (seconds, nanos) = moment.map_err(E::custom)?;
        wire::put_number(self.out, 1, seconds.cast_unsigned());
        wire::put_number(self.out, 2, nanos);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        // `ExtraValue` has the list in its only field, `JSONSchemaPropsOrArray` and its likes in the second.
        let number = if self.message.form == Form::List { 1 } else { 2 };
        let field = self.message.field(number).ok_or_else(not_fitting)?;
        while items
            .next_element_seed(Single {
                out: self.out,
                scratch: self.scratch,
                field,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.message.form == Form::Either {
            return self.schema(map);
        }
        if !matches!(self.message.form, Form::Object | Form::Sparse) {
            return Err(A::Error::custom("an object where a scalar is expected"));
        }
        let start = self.out.len();
        let mut parts = Vec::new();
        while let Some(place) = map.next_key_seed(Key(self.message))? {
            let Some((place, field)) = place.and_then(|place| Some((place, self.message.at(&TABLE, place)?)))
            else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let from = self.out.len();
            map.next_value_seed(Whole {
                out: &mut *self.out,
                scratch: &mut *self.scratch,
                field,
            })?;
            if self.out.len() > from {
                let bytes = from..self.out.len();
                parts.push(Part { place, bytes });
            }
        }
        parts.sort_unstable_by_key(|part| part.place);
        self.scratch.clear();
        arrange(self.message, &parts, 0, self.out, self.scratch);
        self.out.truncate(start);
        self.out.extend_from_slice(self.scratch);
        Ok(())
    }
}

impl Writer<'_> {
    /// `JSONSchemaPropsOrBool` and its likes, as a schema.
    fn schema<'de, A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let is_or_bool = self
            .message
            .fields
            .first()
            .is_some_and(|field| field.name == "allows");
        if is_or_bool {
            wire::put_number(self.out, 1, 1);
        }
        let number = if is_or_bool { 2 } else { 1 };
        let field = self.message.field(number).ok_or_else(not_fitting)?;
        let Kind::Message(inner) = field.kind else {
            return Err(not_fitting());
        };
        let start = self.out.len();
        let writer = Writer {
            out: &mut *self.out,
            scratch: self.scratch,
            message: TABLE.get(inner).ok_or_else(not_fitting)?,
        };
        writer.visit_map(map)?;
        wire::enclose(self.out, field.number, start);
        Ok(())
    }
}

fn micro(at: Timestamp) -> (i64, u64) {
    let nanos = at.as_nanosecond();
    let seconds = nanos.div_euclid(1_000_000_000);
    let micros = nanos.rem_euclid(1_000_000_000) / 1_000;
    (
        i64::try_from(seconds).unwrap_or_default(),
        u64::try_from(micros * 1_000).unwrap_or_default(),
    )
}

fn int_or_string(out: &mut Vec<u8>, kind: u64, number: i64, text: &str) {
    wire::put_number(out, 1, kind);
    wire::put_number(out, 2, number.cast_unsigned());
    wire::put_bytes(out, 3, text.as_bytes());
}

/// Copies the fields from where they were written into their order, with zeros for those that are always there.
/// `parts` are those of `message`, which stands at `depth` of their places.
fn arrange(message: &Message, mut parts: &[Part], depth: usize, from: &[u8], to: &mut Vec<u8>) {
    for field in &message.fields {
        let count = parts
            .iter()
            .take_while(|part| {
                part.place
                    .0
                    .get(depth)
                    .is_some_and(|n| u64::from(*n) == field.number)
            })
            .count();
        let (own, rest) = parts.split_at(count);
        parts = rest;
        match field.kind {
            Kind::Message(inner) if field.is_inlined() && depth + 1 < INLINED => {
                let start = to.len();
                if let Some(inner) = TABLE.get(inner) {
                    arrange(inner, own, depth + 1, from, to);
                }
                wire::enclose(to, field.number, start);
            }
            _ => match own.last() {
                // Of duplicate keys the last counts.
                Some(part) => to.extend_from_slice(from.get(part.bytes.clone()).unwrap_or_default()),
                None if field.repeat == Repeat::Always => TABLE.write_zero(field, to),
                None => {}
            },
        }
    }
}

/// A key of JSON, as the place that its value goes to.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<Place>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Place>, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<Place>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<Place>, E> {
        Ok(self.0.place(name))
    }
}
