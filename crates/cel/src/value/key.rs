//! The keys of maps: whole numbers are equal whatever their signs' types are. Upstream takes values of any type.

use std::cmp::Ordering;

use std::sync::Arc;

use super::{Text, Value};

/// A key.
#[derive(Clone, Debug)]
pub enum Key<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// Text.
    String(Text<'a>),
    /// Of another type, and what tells it from others: its type and how it is written.
    Other(Arc<Value<'a>>, Box<str>),
}

impl<'a> Key<'a> {
    /// The key that a value is.
    pub(crate) fn of(value: &Value<'a>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Uint(value) => Self::Uint(*value),
            Value::String(text) => Self::String(text.clone()),
            other => {
                let name = format!("{} {other}", other.type_of().runtime_name());
                Self::Other(Arc::new(other.clone()), name.into())
            }
        }
    }

    /// The whole number that a double finds, too.
    pub(crate) fn whole(value: &Value<'a>) -> Option<Self> {
        match value {
            Value::Double(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => {
                Some(Self::Int(*number as i64))
            }
            _ => None,
        }
    }

    pub(crate) fn value(&self) -> Value<'a> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::String(text) => Value::String(text.clone()),
            Self::Other(value, _) => (**value).clone(),
        }
    }

    fn rank(&self) -> (u8, i128, &str) {
        match self {
            Self::Bool(value) => (0, i128::from(*value), ""),
            Self::Int(value) => (1, i128::from(*value), ""),
            Self::Uint(value) => (1, i128::from(*value), ""),
            Self::String(text) => (2, 0, text),
            Self::Other(_, name) => (3, 0, name),
        }
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Key<'_> {}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}
