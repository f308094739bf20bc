//! In which order the fields of a JSON document stand: upstream names what is wrong with them in that order, and
//! a parsed object has lost it.

use std::collections::HashMap;
use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Where fields stand in a document.
#[derive(Debug, Default)]
pub struct FieldOrder {
    path: String,
    next: usize,
    /// First and second position of a path.
    positions: HashMap<String, (usize, Option<usize>)>,
}

impl FieldOrder {
    /// Reads a JSON document; what is not JSON has no fields.
    pub fn of(json: &[u8]) -> Self {
        let mut order = Self::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        // Whatever was read before an error is as good as it gets.
        let _ = Node(&mut order).deserialize(&mut deserializer);
        order
    }

    /// Sorts messages such as `unknown field "spec.foo"` and `duplicate field "spec.bar"` by where the first,
    /// or the second, such field stands.
    pub fn sort(&self, messages: &mut [String]) {
        messages.sort_by_key(|message| {
            let mut parts = message.splitn(2, " field \"");
            let what = parts.next().unwrap_or_default();
            let path = parts.next().and_then(|rest| rest.strip_suffix('"'));
            let at = path.and_then(|path| self.positions.get(path));
            at.map_or(usize::MAX, |(first, second)| {
                if what.ends_with("duplicate") {
                    second.unwrap_or(*first)
                } else {
                    *first
                }
            })
        });
    }

    fn within<T>(&mut self, step: impl FnOnce(&mut String), read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        step(&mut self.path);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    fn note(&mut self) {
        let position = self.next;
        self.next += 1;
        self.positions
            .entry(self.path.clone())
            .and_modify(|(_, second)| {
                second.get_or_insert(position);
            })
            .or_insert((position, None));
    }
}

struct Node<'o>(&'o mut FieldOrder);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let step = |path: &mut String| {
                // Writing to a string does not fail.
                let _ = write!(path, "[{index}]");
            };
            let element = self
                .0
                .within(step, |order| access.next_element_seed(Node(order)))?;
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some(key) = access.next_key::<String>()? {
            let step = |path: &mut String| {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            };
            self.0.within(step, |order| {
                order.note();
                access.next_value_seed(Node(order))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_sorted_by_where_the_fields_stand() {
        let order = FieldOrder::of(br#"{"z": 1, "a": [{"y": 1, "b": 1, "y": 2}], "k": 1, "z": 2}"#);
        let mut messages = [
            "unknown field \"k\"",
            "duplicate field \"z\"",
            "unknown field \"z\"",
            "duplicate field \"a[0].y\"",
            "unknown field \"a[0].b\"",
        ]
        .map(String::from);
        order.sort(&mut messages);
        assert_eq!(
            messages,
            [
                "unknown field \"z\"",
                "unknown field \"a[0].b\"",
                "duplicate field \"a[0].y\"",
                "unknown field \"k\"",
                "duplicate field \"z\""
            ]
        );
    }
}
