//! Values as messages show them.

use std::fmt;

use warren_apimachinery::field::go_quote;

use super::{Opaque, Value, time};

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            Self::Double(value) => f.write_str(&format_double(*value, 21)),
            Self::String(text) => f.write_str(text),
            Self::Bytes(bytes) => write!(f, "b{}", go_quote(&String::from_utf8_lossy(bytes))),
            Self::Duration(nanos) => write!(f, "duration(\"{}\")", time::format_duration(*nanos)),
            Self::Timestamp(at) => write!(f, "timestamp(\"{}\")", at),
            Self::List(list) => {
                f.write_str("[")?;
                for (at, element) in list.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    if let Ok(element) = element {
                        write!(f, "{element}")?;
                    }
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (at, key) in map.keys().iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    if let Some(Ok(value)) = map.get(key) {
                        write!(f, "{key}: {value}")?;
                    }
                }
                f.write_str("}")
            }
            Self::Optional(Some(value)) => write!(f, "optional({value})"),
            Self::Optional(None) => f.write_str("optional.none()"),
            Self::Type(kind) => f.write_str(&kind.runtime_name()),
            Self::Opaque(opaque) => write!(f, "{opaque}"),
        }
    }
}

impl fmt::Display for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url.text()),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Cidr(cidr) => write!(f, "{cidr}"),
            Self::Quantity(quantity) => write!(f, "{quantity}"),
            Self::Semver(version) => write!(f, "{version}"),
            Self::Format(format) => f.write_str(format.name),
            Self::Authorizer(check) => f.write_str(check.type_name()),
        }
    }
}

/// A double in Go's shortest form; with an exponent from 10 to the power of `most` on, which is 21 for `%v` and
/// 6 for what `strconv` makes of it.
pub(crate) fn format_double(value: f64, most: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..most).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
