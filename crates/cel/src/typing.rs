//! The types of expressions: what they are, how messages write them, and which of them may stand for another.
//!
//! Substitution of type parameters is `unify`'s.

use std::fmt;
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use crate::declared::{Declared, Kind};

/// The type of an expression.
#[derive(Clone, Debug)]
pub enum Type {
    /// Known at run time only.
    Dyn,
    /// Known at run time only, and nothing that a loop may go over.
    Any,
    /// Of an expression in which a fault was found and reported.
    Error,
    /// `null`.
    Null,
    /// True or false.
    Bool,
    /// A signed number of 64 bits.
    Int,
    /// An unsigned number of 64 bits.
    Uint,
    /// A floating point number of 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A span of time.
    Duration,
    /// A point in time.
    Timestamp,
    /// A list of elements of one type.
    List(Arc<Type>),
    /// A map: type of its keys, type of its values.
    Map(Arc<(Type, Type)>),
    /// A value that may be absent.
    Optional(Arc<Type>),
    /// A type as a value.
    Type(Option<Arc<Type>>),
    /// An object with declared fields, by the name that messages show.
    Object(SmolStr, Arc<Declared>),
    /// A type of one of the libraries, such as `kubernetes.URL` or `net.IP`.
    Opaque(&'static str),
    /// A type parameter of a signature, or a variable of the checker.
    Param(SmolStr),
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// A map.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new((key, value)))
    }

    /// An optional.
    pub fn optional(value: Self) -> Self {
        Self::Optional(Arc::new(value))
    }

    /// The type of values that `declared` describes. Objects below get the names that upstream gives them:
    /// `name` and the way from it.
    pub fn of_declared(name: &str, declared: &Arc<Declared>) -> Self {
        match &declared.kind {
            Kind::Dyn | Kind::IntOrString => Self::Dyn,
            Kind::Any => Self::Any,
            Kind::Bool => Self::Bool,
            Kind::Int => Self::Int,
            Kind::Double => Self::Double,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Quantity => Self::Opaque("kubernetes.Quantity"),
            Kind::Duration => Self::Duration,
            Kind::Date | Kind::Timestamp => Self::Timestamp,
            Kind::List { element, .. } => {
                Self::list(Self::of_declared(&format_smolstr!("{name}.@idx"), element))
            }
            Kind::Map(value) | Kind::EscapedMap(value) => Self::map(
                Self::String,
                Self::of_declared(&format_smolstr!("{name}.@elem"), value),
            ),
            Kind::Object(object) => {
                let name = object.name.clone().unwrap_or_else(|| SmolStr::new(name));
                Self::Object(name, Arc::clone(declared))
            }
        }
    }

    pub(crate) fn is_dyn(&self) -> bool {
        matches!(self, Self::Dyn | Self::Any)
    }

    pub(crate) fn is_dyn_or_error(&self) -> bool {
        matches!(self, Self::Dyn | Self::Any | Self::Error)
    }

    /// Types within this one.
    pub(crate) fn parameters(&self) -> Vec<&Self> {
        match self {
            Self::List(element) | Self::Optional(element) => vec![element],
            Self::Map(entry) => vec![&entry.0, &entry.1],
            Self::Type(Some(inner)) => vec![inner],
            _ => Vec::new(),
        }
    }

    /// Whether the two are the same kind of type, whatever their parameters.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Opaque(one), Self::Opaque(two)) => one == two,
            (Self::Object(one, _), Self::Object(two, _)) => one == two,
            (Self::Param(one), Self::Param(two)) => one == two,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// What a value's type is called at run time.
    pub fn runtime_name(&self) -> SmolStr {
        match self {
            Self::Dyn => SmolStr::new_static("dyn"),
            Self::Any => SmolStr::new_static("google.protobuf.Any"),
            Self::Error => SmolStr::new_static("error"),
            Self::Null => SmolStr::new_static("null_type"),
            Self::Duration => SmolStr::new_static("google.protobuf.Duration"),
            Self::Timestamp => SmolStr::new_static("google.protobuf.Timestamp"),
            Self::List(_) => SmolStr::new_static("list"),
            Self::Map(_) => SmolStr::new_static("map"),
            Self::Optional(_) => SmolStr::new_static("optional_type"),
            Self::Type(_) => SmolStr::new_static("type"),
            _ => format_smolstr!("{self}"),
        }
    }

    /// What upstream writes where it names the type of a whole expression; faults within one use `Display`.
    pub fn output_name(&self) -> String {
        let shown: Vec<String> = self
            .parameters()
            .iter()
            .map(|inner| inner.output_name())
            .collect();
        let name = self.runtime_name();
        match self {
            Self::List(_) | Self::Map(_) | Self::Optional(_) | Self::Type(Some(_)) => {
                format!("{name}({})", shown.join(", "))
            }
            _ => name.to_string(),
        }
    }

    /// The type that an identifier names, such as `int`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "bytes" => Self::Bytes,
            "double" => Self::Double,
            "dyn" => Self::Dyn,
            "int" => Self::Int,
            "list" => Self::list(Self::Dyn),
            "map" => Self::map(Self::Dyn, Self::Dyn),
            "null_type" => Self::Null,
            "string" => Self::String,
            "type" => Self::Type(None),
            "uint" => Self::Uint,
            "optional_type" => Self::optional(Self::Dyn),
            "google.protobuf.Duration" => Self::Duration,
            "google.protobuf.Timestamp" => Self::Timestamp,
            "net.IP" => Self::Opaque("net.IP"),
            "net.CIDR" => Self::Opaque("net.CIDR"),
            _ => return None,
        })
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.is_alike(other) && self.parameters() == other.parameters()
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Any => f.write_str("any"),
            Self::Error => f.write_str("!error!"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Duration => f.write_str("duration"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(entry) => write!(f, "map({}, {})", entry.0, entry.1),
            Self::Optional(value) => write!(f, "optional_type({value})"),
            Self::Type(None) => f.write_str("type"),
            Self::Type(Some(inner)) => write!(f, "type({inner})"),
            Self::Object(name, _) | Self::Param(name) => f.write_str(name),
            Self::Opaque(name) => f.write_str(name),
        }
    }
}

/// Reads a signature such as `list(A).(A, int) -> int`; what stands before `.(` is the receiver. Used on the
/// tables of the libraries, which tests read whole.
pub(crate) fn signature(text: &str) -> Option<Signature> {
    let (arguments, result) = text.split_once(" -> ")?;
    let (receiver, rest) = match arguments.split_once(".(") {
        Some((receiver, rest)) => (Some(receiver), rest),
        None => (None, arguments.strip_prefix('(')?),
    };
    let rest = rest.strip_suffix(')')?;
    let mut parameters = Vec::new();
    parameters.extend(match receiver {
        Some(receiver) => Some(parse(receiver)?),
        None => None,
    });
    for part in split(rest) {
        parameters.push(parse(part)?);
    }
    Some(Signature {
        is_member: receiver.is_some(),
        parameters,
        result: parse(result)?,
    })
}

/// What a function takes and gives.
#[derive(Debug)]
pub(crate) struct Signature {
    /// The first parameter stands before the dot.
    pub(crate) is_member: bool,
    pub(crate) parameters: Vec<Type>,
    pub(crate) result: Type,
}

/// Splits at the commas that are not within parentheses.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

fn parse(text: &str) -> Option<Type> {
    if let Some((name, inner)) = text.split_once('(') {
        let inner = inner.strip_suffix(')')?;
        return Some(match name {
            "list" => Type::list(parse(inner)?),
            "optional" => Type::optional(parse(inner)?),
            "type" => Type::Type(Some(Arc::new(parse(inner)?))),
            "map" => {
                let mut parts = split(inner);
                Type::map(parse(parts.next()?)?, parse(parts.next()?)?)
            }
            _ => return None,
        });
    }
    const OPAQUE: [&str; 10] = [
        "net.IP",
        "net.CIDR",
        "kubernetes.URL",
        "kubernetes.Quantity",
        "kubernetes.Semver",
        "kubernetes.NamedFormat",
        "kubernetes.authorization.Authorizer",
        "kubernetes.authorization.PathCheck",
        "kubernetes.authorization.GroupCheck",
        "kubernetes.authorization.ResourceCheck",
    ];
    Some(match text {
        "null" => Type::Null,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "kubernetes.authorization.Decision" => Type::Opaque("kubernetes.authorization.Decision"),
        _ if text.len() == 1 => Type::Param(SmolStr::new(text)),
        _ => match OPAQUE.into_iter().find(|name| *name == text) {
            Some(name) => Type::Opaque(name),
            None => Type::named(text)?,
        },
    })
}
