//! Maps and objects: of JSON, made by an expression, or answered by the caller field by field.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};
use smol_str::SmolStr;

use super::{Key, Text, Value, read};
use crate::EvaluationError;
use crate::declared::{Declared, Kind};
use crate::escape::unescape;

/// Fields that are known when they are asked for, such as the `variables` of a policy.
pub trait Fields: Send + Sync {
    /// The value of a field. Called whenever an expression selects it, so an implementer remembers what costs.
    fn field(&self, name: &str) -> Option<Result<Value<'_>, EvaluationError>>;
}

/// Fields of the caller's.
#[derive(Clone, Copy)]
pub struct FieldsRef<'a>(pub &'a (dyn Fields + 'a));

impl fmt::Debug for FieldsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields")
    }
}

/// A map or an object.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// Part of JSON, with what its schema says of it.
    Json(&'a JsonMap<String, Json>, Option<&'a Declared>),
    /// Entries.
    Entries(Arc<BTreeMap<Key<'a>, Value<'a>>>),
    /// A message that an expression made: its type and its fields.
    Message(SmolStr, Arc<BTreeMap<Key<'a>, Value<'a>>>),
    /// Of the caller's.
    Fields(FieldsRef<'a>),
}

impl<'a> Map<'a> {
    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(fields, _) => fields.len(),
            Self::Entries(entries) | Self::Message(_, entries) => entries.len(),
            Self::Fields(_) => 0,
        }
    }

    /// The value of a key. An error is a value that does not fit its schema.
    pub(crate) fn get(&self, key: &Value<'a>) -> Option<Result<Value<'a>, EvaluationError>> {
        match self {
            Self::Entries(entries) | Self::Message(_, entries) => {
                let whole = Key::whole(key).and_then(|whole| entries.get(&whole));
                whole.or_else(|| entries.get(&Key::of(key))).cloned().map(Ok)
            }
            _ => self.field(key.as_str()?),
        }
    }

    /// The value of a field by its (escaped) name.
    pub(crate) fn field(&self, name: &str) -> Option<Result<Value<'a>, EvaluationError>> {
        match self {
            Self::Json(fields, declared) => match declared.map(|declared| &declared.kind) {
                Some(Kind::Object(object)) => {
                    let field = object.field(name)?;
                    let value = fields.get(field.name.as_str()).filter(|value| !value.is_null())?;
                    Some(read(value, Some(&field.declared)))
                }
                Some(Kind::EscapedMap(element)) => {
                    let value = fields.get(&*unescape(name))?;
                    Some(read(value, Some(element)))
                }
                Some(Kind::Any) => fields.get(&*unescape(name)).map(|value| read(value, *declared)),
                Some(Kind::Map(element)) => fields.get(name).map(|value| read(value, Some(element))),
                _ => fields.get(name).map(|value| read(value, None)),
            },
            Self::Entries(entries) | Self::Message(_, entries) => entries
                .get(&Key::String(Text::Shared(name.into())))
                .cloned()
                .map(Ok),
            Self::Fields(fields) => fields.0.field(name),
        }
    }

    /// The keys; of objects those that are declared, escaped.
    pub(crate) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Self::Json(fields, declared) => match declared.map(|declared| &declared.kind) {
                Some(Kind::Object(object)) => object
                    .fields
                    .iter()
                    .filter(|(_, field)| fields.contains_key(field.name.as_str()))
                    .map(|(escaped, _)| Value::String(Text::Borrowed(escaped)))
                    .collect(),
                _ => fields
                    .keys()
                    .map(|key| Value::String(Text::Borrowed(key)))
                    .collect(),
            },
            Self::Entries(entries) | Self::Message(_, entries) => entries.keys().map(Key::value).collect(),
            Self::Fields(_) => Vec::new(),
        }
    }

    /// The map with one more entry, a fault if it is there. Takes over the memory of a map that nobody else
    /// holds.
    pub(crate) fn insert(self, key: &Value<'a>, value: Value<'a>) -> Result<Self, EvaluationError> {
        if self.get(key).is_some() {
            return Err(EvaluationError::failed(format!(
                "insert failed: key {key} already exists"
            )));
        }
        self.put(key, value)
    }

    /// The map with an entry, in the place of one with the same key.
    pub(crate) fn put(self, key: &Value<'a>, value: Value<'a>) -> Result<Self, EvaluationError> {
        let mut entries = match self {
            Self::Entries(entries) => entries,
            other => {
                let mut entries = BTreeMap::new();
                for key in other.keys() {
                    if let Some(value) = other.get(&key) {
                        entries.insert(Key::of(&key), value?);
                    }
                }
                Arc::new(entries)
            }
        };
        Arc::make_mut(&mut entries).insert(Key::of(key), value);
        Ok(Self::Entries(entries))
    }
}
