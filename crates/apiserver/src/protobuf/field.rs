//! One field of a message on its way to protobuf: with its head, and with all that it repeats.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::encode::Writer;
use super::table::{Field, Form, Kind, Message, Repeat, TABLE};
use super::type_meta::Text;
use super::wire;

pub(super) fn not_fitting<E: Error>() -> E {
    E::custom("JSON of another shape than the message")
}

/// Appends a field with all that it repeats, heads included.
pub(super) struct Whole<'w> {
    pub(super) out: &'w mut Vec<u8>,
    pub(super) scratch: &'w mut Vec<u8>,
    pub(super) field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.field.repeat {
            Repeat::List | Repeat::Map => json.deserialize_any(self),
            Repeat::Always | Repeat::Optional => Single {
                out: self.out,
                scratch: self.scratch,
                field: self.field,
            }
            .deserialize(json),
        }
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the values of {}", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.field.repeat != Repeat::List {
            return Err(not_fitting());
        }
        while items
            .next_element_seed(Single {
                out: self.out,
                scratch: self.scratch,
                field: self.field,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.field.repeat != Repeat::Map {
            return Err(not_fitting());
        }
        let start = self.out.len();
        let mut entries: Vec<(Cow<'de, str>, Range<usize>)> = Vec::new();
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let from = self.out.len();
            wire::put_bytes(self.out, 1, key.as_bytes());
            map.next_value_seed(Value {
                out: &mut *self.out,
                scratch: &mut *self.scratch,
                kind: self.field.kind,
                number: 2,
                keeps_null: true,
            })?;
            wire::enclose(self.out, self.field.number, from);
            entries.push((key, from..self.out.len()));
        }
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            self.scratch.clear();
            for (_, bytes) in entries {
                self.scratch
                    .extend_from_slice(self.out.get(bytes).unwrap_or_default());
            }
            self.out.truncate(start);
            self.out.extend_from_slice(self.scratch);
        }
        Ok(())
    }
}

/// Appends one value of a field, with its head.
pub(super) struct Single<'w> {
    pub(super) out: &'w mut Vec<u8>,
    pub(super) scratch: &'w mut Vec<u8>,
    pub(super) field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        Value {
            out: self.out,
            scratch: self.scratch,
            kind: self.field.kind,
            number: self.field.number,
            // Among the items of a list, null is a zero, else it is as if unset.
            keeps_null: self.field.repeat == Repeat::List,
        }
        .deserialize(json)
    }
}

/// Appends one value as the field `number`.
struct Value<'w> {
    out: &'w mut Vec<u8>,
    scratch: &'w mut Vec<u8>,
    kind: Kind,
    number: u64,
    keeps_null: bool,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Kind::Message(inner) = self.kind else {
            return json.deserialize_any(self);
        };
        let message = TABLE.get(inner).ok_or_else(not_fitting)?;
        let start = self.out.len();
        let present = Present {
            out: &mut *self.out,
            scratch: self.scratch,
            message,
        };
        let is_present = match message.form {
            // Raw values cannot be optional.
            Form::Embedded => {
                let from = present.out.len();
                Writer::from(present).deserialize(json)?;
                self.out.len() > from
            }
            _ => json.deserialize_option(present)?,
        };
        if is_present {
            wire::enclose(self.out, self.number, start);
        } else if self.keeps_null {
            self.out.extend_from_slice(&message.zero);
            wire::enclose(self.out, self.number, start);
        }
        Ok(())
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        match self.kind {
            Kind::Text if self.keeps_null => wire::put_bytes(self.out, self.number, b""),
            Kind::Bool | Kind::Int if self.keeps_null => wire::put_number(self.out, self.number, 0),
            _ => {}
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Bool => wire::put_number(self.out, self.number, u64::from(value)),
            _ => return Err(not_fitting()),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.kind {
            // Negative numbers are sign-extended to 64 bits on the wire.
            Kind::Int => wire::put_number(self.out, self.number, value.cast_unsigned()),
            Kind::Double => wire::put_double(self.out, self.number, value as f64),
            _ => return Err(not_fitting()),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.kind {
            Kind::Int => wire::put_number(self.out, self.number, value),
            Kind::Double => wire::put_double(self.out, self.number, value as f64),
            _ => return Err(not_fitting()),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.kind {
            Kind::Double => wire::put_double(self.out, self.number, value),
            Kind::Int if value.fract() == 0.0 => {
                wire::put_number(self.out, self.number, (value as i64).cast_unsigned());
            }
            _ => return Err(not_fitting()),
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.kind {
            Kind::Text => wire::put_bytes(self.out, self.number, text.as_bytes()),
            Kind::Bytes => {
                let bytes = STANDARD.decode(text).map_err(E::custom)?;
                wire::put_bytes(self.out, self.number, &bytes);
            }
            _ => return Err(not_fitting()),
        }
        Ok(())
    }
}

/// Appends a message's content unless it is null; answers whether it was there.
struct Present<'w> {
    out: &'w mut Vec<u8>,
    scratch: &'w mut Vec<u8>,
    message: &'static Message,
}

impl<'w> From<Present<'w>> for Writer<'w> {
    fn from(present: Present<'w>) -> Self {
        Self {
            out: present.out,
            scratch: present.scratch,
            message: present.message,
        }
    }
}

impl<'de> Visitor<'de> for Present<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message or null")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        Writer::from(self).deserialize(json)?;
        Ok(true)
    }
}
