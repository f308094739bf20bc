//! Values at run time. What comes from JSON is borrowed from it and typed by its schema as it is read.

mod equality;
mod json;
mod key;
mod list;
mod map;
mod message;
mod message_names;
mod owned;
mod text;
pub(crate) mod time;

use std::net::IpAddr;
use std::sync::Arc;

use warren_apimachinery::Quantity;
use warren_apimachinery::address::Cidr;

pub(crate) use json::read;
pub(crate) use key::Key;
pub(crate) use list::List;
pub(crate) use map::Map;
pub use map::{Fields, FieldsRef};
pub(crate) use message::format_double;
pub use text::Text;
pub use time::Instant;

use crate::library::authorizer::Check;
use crate::library::format::Format;
use crate::library::semver::Semver;
use crate::library::url::Url;
use crate::typing::Type;

/// A value. `'a` is the life of the JSON that it may be part of.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// Text.
    String(Text<'a>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// A point in time.
    Timestamp(Instant),
    /// A list.
    List(List<'a>),
    /// A map or an object.
    Map(Map<'a>),
    /// A value that may be absent.
    Optional(Option<Arc<Value<'a>>>),
    /// A type.
    Type(Type),
    /// A value of one of the libraries.
    Opaque(Opaque<'a>),
}

/// A value of one of the libraries.
#[derive(Clone, Debug)]
pub enum Opaque<'a> {
    /// `kubernetes.URL`.
    Url(Arc<Url>),
    /// `net.IP`.
    Ip(IpAddr),
    /// `net.CIDR`.
    Cidr(Cidr),
    /// `kubernetes.Quantity`.
    Quantity(Quantity),
    /// `kubernetes.Semver`.
    Semver(Arc<Semver>),
    /// `kubernetes.NamedFormat`.
    Format(&'static Format),
    /// The authorizer, or a question to it that is being put together, or its answer.
    Authorizer(Check<'a>),
}

impl<'a> Value<'a> {
    /// A list of values.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::Items(Arc::new(items)))
    }

    /// Text of its own.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::String(Text::Shared(text.into()))
    }

    /// An optional with a value.
    pub(crate) fn some(value: Self) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// True or false, if it is either.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Its type, parameters of lists and maps unknown.
    pub(crate) fn type_of(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Duration(_) => Type::Duration,
            Self::Timestamp(_) => Type::Timestamp,
            Self::List(_) => Type::list(Type::Dyn),
            Self::Map(_) => Type::map(Type::Dyn, Type::Dyn),
            Self::Optional(_) => Type::optional(Type::Dyn),
            Self::Type(_) => Type::Type(None),
            Self::Opaque(opaque) => Type::Opaque(opaque.type_name()),
        }
    }

    /// Whether it can be an argument where `wanted` is declared; a list by its first element, a map whatever it
    /// holds.
    pub(crate) fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (_, Type::Dyn | Type::Param(_)) => true,
            (Self::List(list), Type::List(element)) => {
                let first = list.get(0);
                first.is_none_or(|first| first.is_ok_and(|first| first.fits(element)))
            }
            _ => self.type_of().is_alike(wanted),
        }
    }

    /// The number of elements, characters or bytes; 1 for all else, as costs are counted.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::String(text) => text.chars().count() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(list) => list.len() as u64,
            Self::Map(map) => map.len() as u64,
            Self::Optional(Some(value)) => value.size(),
            Self::Opaque(Opaque::Cidr(cidr)) => match cidr.address {
                IpAddr::V4(_) => (u64::from(cidr.bits)).div_ceil(8),
                IpAddr::V6(_) => (u64::from(cidr.bits)).div_ceil(8),
            },
            Self::Opaque(Opaque::Ip(ip)) => match ip {
                IpAddr::V4(_) => 4,
                IpAddr::V6(_) => 16,
            },
            _ => 1,
        }
    }

    /// Whether it is what a field that was never set would be.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Int(value) => *value == 0,
            Self::Uint(value) => *value == 0,
            Self::Double(value) => *value == 0.0,
            Self::String(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Duration(nanos) => *nanos == 0,
            Self::List(list) => list.len() == 0,
            Self::Map(map) => map.len() == 0,
            Self::Optional(value) => value.as_ref().is_none_or(|value| value.is_zero()),
            Self::Timestamp(_) | Self::Type(_) | Self::Opaque(_) => false,
        }
    }
}

impl Opaque<'_> {
    /// The name of its type in upstream's Go, which some faults show.
    pub(crate) fn go_type(&self) -> &'static str {
        match self {
            Self::Url(_) => "cel.URL",
            Self::Ip(_) => "cel.IP",
            Self::Cidr(_) => "cel.CIDR",
            Self::Quantity(_) => "cel.Quantity",
            Self::Semver(_) => "cel.Semver",
            Self::Format(_) => "*cel.Format",
            Self::Authorizer(_) => "library.authorizerVal",
        }
    }

    /// The name of its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Url(_) => "kubernetes.URL",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Authorizer(check) => check.type_name(),
        }
    }
}

impl From<Arc<str>> for Value<'_> {
    fn from(text: Arc<str>) -> Self {
        Self::String(Text::Shared(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
