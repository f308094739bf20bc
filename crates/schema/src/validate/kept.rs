//! What a value was before a change, found as upstream correlates the two: field by field, and element by element in
//! lists that have keys. What was wrong before and has not changed is let be.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::model::{ListType, Schema};

/// A value and what it was, with the schema of both.
#[derive(Clone)]
pub struct Kept<'v> {
    new: &'v Value,
    old: &'v Value,
    schema: Arc<Schema>,
}

impl<'v> Kept<'v> {
    /// Of a whole object.
    pub fn new(new: &'v Value, old: &'v Value, schema: Arc<Schema>) -> Self {
        Self { new, old, schema }
    }

    /// The same of a field; `None` where it was not there, or is not in the schema.
    pub fn key(&self, name: &str) -> Option<Self> {
        let (new, old) = (self.new.get(name)?, self.old.get(name)?);
        let schema = self.schema.declared(name)?.get();
        Some(Self { new, old, schema })
    }

    /// The same of an element.
    pub fn index(&self, at: usize) -> Option<Self> {
        let ListType::Map(keys) = &self.schema.list else {
            return None;
        };
        let new = self.new.as_array()?.get(at)?;
        let is_same = |old: &&Value| keys.iter().all(|key| old.field(key) == new.field(key));
        let old = self.old.as_array()?.iter().find(is_same)?;
        let schema = self.schema.items.as_ref()?.get();
        Some(Self { new, old, schema })
    }

    /// Whether nothing changed. Fields that the schema does not know can't be told to be the same.
    pub fn is_unchanged(&self) -> bool {
        match (self.new, self.old) {
            (Value::Object(new), Value::Object(old)) => {
                new.len() == old.len()
                    && new
                        .keys()
                        .all(|name| self.key(name).is_some_and(|field| field.is_unchanged()))
            }
            (Value::Array(new), Value::Array(old)) if matches!(self.schema.list, ListType::Map(_)) => {
                let mut all = 0..new.len();
                new.len() == old.len()
                    && all.all(|at| self.index(at).is_some_and(|element| element.is_unchanged()))
            }
            (new, old) => new == old,
        }
    }
}
