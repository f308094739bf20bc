//! `'%s: %d'.format([…])`: the clauses, what they take, and what they make of it.

use std::fmt::Write;

use super::strings::quoted;
use crate::typing::Type;
use crate::value::{Value, format_double, time};

/// The most digits after the point.
const MOST_DIGITS: usize = 1_000;

/// What a clause asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clause {
    Text,
    Decimal,
    Fixed(usize),
    Scientific(usize),
    Binary,
    Hex { is_upper: bool },
    Octal,
}

/// An argument as it is known: by its type when checked, by its value when run.
pub(crate) enum Argument<'v, 'a> {
    Typed(&'v Type),
    Value(&'v Value<'a>),
}

/// Goes through `format`; `fill` is asked for each argument in turn.
pub(crate) fn run(
    format: &str,
    arguments: usize,
    fill: &mut dyn FnMut(usize, Clause) -> Result<String, String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    let mut at = 0;
    while let Some(percent) = rest.find('%') {
        out.push_str(rest.get(..percent).unwrap_or_default());
        rest = rest.get(percent + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        if at >= arguments {
            return Err(format!("index {at} out of range"));
        }
        if rest.is_empty() {
            return Err("unexpected end of string".to_owned());
        }
        let (clause, after) =
            clause(rest).map_err(|fault| format!("could not parse formatting clause: {fault}"))?;
        out.push_str(&fill(at, clause).map_err(|fault| format!("error during formatting: {fault}"))?);
        rest = after;
        at += 1;
    }
    out.push_str(rest);
    Ok(out)
}

fn clause(text: &str) -> Result<(Clause, &str), String> {
    let mut rest = text;
    let mut digits = 6;
    if let Some(after) = text.strip_prefix('.') {
        let end = after
            .find(|c: char| !c.is_ascii_digit())
            .ok_or("error while parsing precision: could not find end of precision specifier")?;
        let (number, after) = after.split_at_checked(end).unwrap_or((after, ""));
        digits = number.parse().map_err(|_| {
            format!(
                "error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing \
                 \"{number}\": invalid syntax"
            )
        })?;
        rest = after;
    }
    let digits = digits.min(MOST_DIGITS);
    let c = rest.chars().next().unwrap_or_default();
    let clause = match c {
        's' => Clause::Text,
        'd' => Clause::Decimal,
        'f' => Clause::Fixed(digits),
        'e' => Clause::Scientific(digits),
        'b' => Clause::Binary,
        'x' => Clause::Hex { is_upper: false },
        'X' => Clause::Hex { is_upper: true },
        'o' => Clause::Octal,
        _ => return Err(format!("unrecognized formatting clause \"{c}\"")),
    };
    Ok((clause, rest.get(c.len_utf8()..).unwrap_or_default()))
}

impl Clause {
    /// Why the clause does not take an argument.
    pub(crate) fn fault(self, argument: &Argument<'_, '_>) -> Option<String> {
        let kind = match argument {
            Argument::Typed(kind) => (*kind).clone(),
            Argument::Value(value) => value.type_of(),
        };
        if kind.is_dyn() {
            return None;
        }
        let is_word = |argument: &Argument<'_, '_>| match argument {
            Argument::Typed(kind) => matches!(kind, Type::String),
            Argument::Value(value) => matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity")),
        };
        let (fits, wants) = match self {
            Self::Text => (
                !matches!(kind, Type::Opaque(_) | Type::Object(..) | Type::Optional(_)),
                "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, \
                 durations, and timestamps",
            ),
            Self::Decimal => (
                matches!(kind, Type::Int | Type::Uint),
                "decimal clause can only be used on integers",
            ),
            Self::Fixed(_) => (
                matches!(kind, Type::Double) || is_word(argument),
                "fixed-point clause can only be used on doubles",
            ),
            Self::Scientific(_) => (
                matches!(kind, Type::Double) || is_word(argument),
                "scientific clause can only be used on doubles",
            ),
            Self::Binary => (
                matches!(kind, Type::Int | Type::Uint | Type::Bool),
                "only integers and bools can be formatted as binary",
            ),
            Self::Hex { .. } => (
                matches!(kind, Type::Int | Type::Uint | Type::String | Type::Bytes),
                "only integers, byte buffers, and strings can be formatted as hex",
            ),
            Self::Octal => (
                matches!(kind, Type::Int | Type::Uint),
                "octal clause can only be used on integers",
            ),
        };
        (!fits).then(|| format!("{wants}, was given {}", kind.runtime_name()))
    }

    /// The text for an argument that the clause takes.
    pub(crate) fn write(self, value: &Value<'_>) -> Result<String, String> {
        Ok(match (self, value) {
            (Self::Text, value) => text(value)?,
            (Self::Fixed(digits), Value::Double(number)) => fixed(*number, digits),
            (Self::Scientific(digits), Value::Double(number)) => scientific(*number, digits),
            (Self::Fixed(_) | Self::Scientific(_), value) => match value.as_str() {
                Some("Infinity") => "∞".to_owned(),
                Some("-Infinity") => "-∞".to_owned(),
                _ => "NaN".to_owned(),
            },
            (Self::Binary, Value::Bool(value)) => u8::from(*value).to_string(),
            (Self::Binary, value) => whole(value, |sign, number| format!("{sign}{number:b}")),
            (Self::Octal, value) => whole(value, |sign, number| format!("{sign}{number:o}")),
            (Self::Decimal, value) => value.to_string(),
            (Self::Hex { is_upper }, value) => {
                let hex = match value {
                    Value::String(text) => bytes(text.as_bytes()),
                    Value::Bytes(content) => bytes(content),
                    value => whole(value, |sign, number| format!("{sign}{number:x}")),
                };
                if is_upper { hex.to_ascii_uppercase() } else { hex }
            }
        })
    }
}

fn whole(value: &Value<'_>, show: fn(&str, u64) -> String) -> String {
    match value {
        Value::Int(number) => show(if *number < 0 { "-" } else { "" }, number.unsigned_abs()),
        Value::Uint(number) => show("", *number),
        _ => String::new(),
    }
}

fn bytes(content: &[u8]) -> String {
    content.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Digits in groups of three, as upstream's English locale has them.
fn fixed(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        return infinite(number);
    }
    let plain = format!("{:.digits$}", number.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let point = if digits > 0 { "." } else { "" };
    format!("{sign}{grouped}{point}{fraction}")
}

/// Upstream takes the precision for the width: there are always six digits.
fn scientific(number: f64, width: usize) -> String {
    if !number.is_finite() {
        return format!("{:>width$}", infinite(number));
    }
    let plain = format!("{number:.6e}");
    let (mantissa, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if exponent < 0 { "⁻" } else { "" };
    let raised: String = format!("{:02}", exponent.unsigned_abs())
        .chars()
        .map(|digit| match digit {
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            _ => '⁰',
        })
        .collect();
    format!("{:>width$}", format!("{mantissa}×10{sign}{raised}"))
}

fn infinite(number: f64) -> String {
    match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (_, true) => "∞",
        _ => "-∞",
    }
    .to_owned()
}

fn text(value: &Value<'_>) -> Result<String, String> {
    Ok(match value {
        Value::List(list) => {
            let mut parts = Vec::new();
            for element in list.iter() {
                parts.push(within(&element.map_err(|error| error.to_string())?)?);
            }
            format!("[{}]", parts.join(", "))
        }
        Value::Map(map) => {
            let mut parts = Vec::new();
            for key in map.keys() {
                if !matches!(
                    key,
                    Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::String(_)
                ) {
                    let kind = key.type_of().runtime_name();
                    return Err(format!("no formatting function for map key of type {kind}"));
                }
                if let Some(value) = map.get(&key) {
                    let value = within(&value.map_err(|error| error.to_string())?)?;
                    parts.push(format!("{}:{value}", within(&key)?));
                }
            }
            parts.sort();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Bytes(content) => String::from_utf8_lossy(content).into_owned(),
        Value::Duration(nanos) => time::format_duration(*nanos),
        Value::Timestamp(at) => at.to_string(),
        Value::Double(number) if number.is_finite() => format_double(*number, 6),
        Value::Opaque(opaque) => {
            return Err(format!("no formatting function for {}", opaque.type_name()));
        }
        value => value.to_string(),
    })
}

/// An element of a list or map.
fn within(value: &Value<'_>) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => quoted(text),
        Value::Bytes(content) => format!("b{}", quoted(&String::from_utf8_lossy(content))),
        Value::Double(number) if number.is_finite() => format!("{number:.6}"),
        Value::Double(number) => quoted(&format!("{number}")),
        Value::Duration(nanos) => format!("duration(\"{}\")", time::format_duration(*nanos)),
        Value::Timestamp(at) => format!("timestamp(\"{at}\")"),
        value => text(value)?,
    })
}
