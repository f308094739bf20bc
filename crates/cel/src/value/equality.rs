//! When values are equal, and which of two comes first.

use std::cmp::Ordering;

use super::{List, Map, Opaque, Value};
use crate::EvaluationError;
use crate::declared::Identity;

impl<'a> Value<'a> {
    /// Whether the two are equal; values of different types are not, but for numbers.
    pub(crate) fn equals(&self, other: &Self) -> Result<bool, EvaluationError> {
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (
                Self::Int(_) | Self::Uint(_) | Self::Double(_),
                Self::Int(_) | Self::Uint(_) | Self::Double(_),
            ) => numbers(self, other) == Some(Ordering::Equal),
            (Self::String(one), Self::String(two)) => **one == **two,
            (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::Duration(one), Self::Duration(two)) => one == two,
            (Self::Timestamp(one), Self::Timestamp(two)) => one == two,
            (Self::Type(one), Self::Type(two)) => one.is_alike(two),
            (Self::Opaque(Opaque::Authorizer(_)), _) => return Err(crate::library::no_such_overload()),
            (Self::Opaque(one), Self::Opaque(two)) => one.equals(two),
            (Self::Optional(one), Self::Optional(two)) => match (one, two) {
                (Some(one), Some(two)) => one.equals(two)?,
                (one, two) => one.is_none() && two.is_none(),
            },
            (Self::List(one), Self::List(two)) => one.equals(two)?,
            (Self::Map(one), Self::Map(two)) => one.equals(two)?,
            _ => false,
        })
    }

    /// Whether the two are the same element of a list with identities.
    pub(crate) fn is_same(&self, other: &Self, identity: &Identity) -> bool {
        let Identity::Keys(keys) = identity else {
            return self.equals(other).unwrap_or(false);
        };
        let (Self::Map(one), Self::Map(two)) = (self, other) else {
            return false;
        };
        keys.iter().all(|key| {
            let key = crate::escape::escape(key).unwrap_or_else(|| key.to_string());
            match (one.field(&key), two.field(&key)) {
                (Some(Ok(one)), Some(Ok(two))) => one.equals(&two).unwrap_or(false),
                (one, two) => one.is_none() && two.is_none(),
            }
        })
    }

    /// Which comes first; `None` for types without order.
    pub(crate) fn order(&self, other: &Self) -> Result<Option<Ordering>, EvaluationError> {
        Ok(match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => Some(one.cmp(two)),
            (
                Self::Int(_) | Self::Uint(_) | Self::Double(_),
                Self::Int(_) | Self::Uint(_) | Self::Double(_),
            ) => {
                let ordered = numbers(self, other);
                return match ordered {
                    Some(_) => Ok(ordered),
                    None => Err(EvaluationError::failed("NaN values cannot be ordered")),
                };
            }
            (Self::String(one), Self::String(two)) => Some((**one).cmp(&**two)),
            (Self::Bytes(one), Self::Bytes(two)) => Some(one.cmp(two)),
            (Self::Duration(one), Self::Duration(two)) => Some(one.cmp(two)),
            (Self::Timestamp(one), Self::Timestamp(two)) => Some(one.cmp(two)),
            _ => None,
        })
    }
}

/// Numbers of any type.
fn numbers(one: &Value<'_>, two: &Value<'_>) -> Option<Ordering> {
    let whole = |value: &Value<'_>| match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    };
    match (one, two) {
        (Value::Double(one), Value::Double(two)) => one.partial_cmp(two),
        (Value::Double(one), two) => double(*one, whole(two)?),
        (one, Value::Double(two)) => double(*two, whole(one)?).map(Ordering::reverse),
        (one, two) => Some(whole(one)?.cmp(&whole(two)?)),
    }
}

fn double(one: f64, two: i128) -> Option<Ordering> {
    // As upstream: the nearest double of the whole number decides.
    one.partial_cmp(&(two as f64))
}

impl<'a> List<'a> {
    pub(crate) fn equals(&self, other: &Self) -> Result<bool, EvaluationError> {
        if self.len() != other.len() {
            return Ok(false);
        }
        let identity = self.identity();
        if *identity == Identity::Place {
            for (one, two) in self.iter().zip(other.iter()) {
                if !one?.equals(&two?)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let mine = self.items()?;
        for theirs in other.iter() {
            let theirs = theirs?;
            let found = mine.iter().find(|known| known.is_same(&theirs, identity));
            let is_equal = match found {
                Some(known) => known.equals(&theirs)?,
                None => false,
            };
            if !is_equal {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an element equals `value`.
    pub(crate) fn contains(&self, value: &Value<'a>) -> Result<bool, EvaluationError> {
        let mut fault = None;
        for element in self.iter() {
            match element.and_then(|element| element.equals(value)) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(false), Err)
    }
}

impl<'a> Map<'a> {
    fn equals(&self, other: &Self) -> Result<bool, EvaluationError> {
        if self.len() != other.len() {
            return Ok(false);
        }
        if let (Self::Json(one, None), Self::Json(two, None)) = (self, other)
            && std::ptr::eq(*one, *two)
        {
            return Ok(true);
        }
        for key in self.keys() {
            let is_equal = match (self.get(&key), other.get(&key)) {
                (Some(one), Some(two)) => one?.equals(&two?)?,
                (one, two) => one.is_none() && two.is_none(),
            };
            if !is_equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Opaque<'_> {
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Url(one), Self::Url(two)) => one.text() == two.text(),
            (Self::Ip(one), Self::Ip(two)) => one == two,
            (Self::Cidr(one), Self::Cidr(two)) => one == two,
            (Self::Quantity(one), Self::Quantity(two)) => one == two,
            (Self::Semver(one), Self::Semver(two)) => one.cmp(two) == Ordering::Equal,
            (Self::Format(one), Self::Format(two)) => one.name == two.name,
            _ => false,
        }
    }
}
