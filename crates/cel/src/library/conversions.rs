//! From one type to another: `int('1')`, `string(true)`, `type(x)`, `dyn(x)`.

use super::{Answer, Row, fail, no_such_overload};
use crate::typing::Type;
use crate::value::{Instant, Value, format_double, time};

pub(super) const TABLE: &[Row] = &[
    ("type", "type", "(A) -> type(A)", type_of),
    ("dyn", "to_dyn", "(A) -> dyn", same),
    ("bool", "bool_to_bool", "(bool) -> bool", same),
    ("bool", "string_to_bool", "(string) -> bool", to_bool),
    ("bytes", "bytes_to_bytes", "(bytes) -> bytes", same),
    ("bytes", "string_to_bytes", "(string) -> bytes", to_bytes),
    ("double", "double_to_double", "(double) -> double", same),
    ("double", "int64_to_double", "(int) -> double", to_double),
    ("double", "string_to_double", "(string) -> double", to_double),
    ("double", "uint64_to_double", "(uint) -> double", to_double),
    ("duration", "duration_to_duration", "(duration) -> duration", same),
    ("duration", "int64_to_duration", "(int) -> duration", to_duration),
    (
        "duration",
        "string_to_duration",
        "(string) -> duration",
        to_duration,
    ),
    ("int", "int64_to_int64", "(int) -> int", same),
    ("int", "double_to_int64", "(double) -> int", to_int),
    ("int", "duration_to_int64", "(duration) -> int", to_int),
    ("int", "string_to_int64", "(string) -> int", to_int),
    ("int", "timestamp_to_int64", "(timestamp) -> int", to_int),
    ("int", "uint64_to_int64", "(uint) -> int", to_int),
    ("string", "string_to_string", "(string) -> string", same),
    ("string", "bool_to_string", "(bool) -> string", to_string),
    ("string", "bytes_to_string", "(bytes) -> string", to_string),
    ("string", "double_to_string", "(double) -> string", to_string),
    ("string", "duration_to_string", "(duration) -> string", to_string),
    ("string", "int64_to_string", "(int) -> string", to_string),
    (
        "string",
        "timestamp_to_string",
        "(timestamp) -> string",
        to_string,
    ),
    ("string", "uint64_to_string", "(uint) -> string", to_string),
    ("string", "ip_to_string", "(net.IP) -> string", to_string),
    ("string", "cidr_to_string", "(net.CIDR) -> string", to_string),
    (
        "timestamp",
        "timestamp_to_timestamp",
        "(timestamp) -> timestamp",
        same,
    ),
    (
        "timestamp",
        "int64_to_timestamp",
        "(int) -> timestamp",
        to_timestamp,
    ),
    (
        "timestamp",
        "string_to_timestamp",
        "(string) -> timestamp",
        to_timestamp,
    ),
    ("uint", "uint64_to_uint64", "(uint) -> uint", same),
    ("uint", "double_to_uint64", "(double) -> uint", to_uint),
    ("uint", "int64_to_uint64", "(int) -> uint", to_uint),
    ("uint", "string_to_uint64", "(string) -> uint", to_uint),
];

/// Whether a call of this function with a constant is a constant.
pub(crate) fn is_conversion(function: &str) -> bool {
    TABLE.iter().any(|(name, ..)| *name == function)
}

/// Whether `duration` or `timestamp` makes something of a literal.
pub(crate) fn converts(function: &str, literal: &Value<'static>) -> bool {
    let arguments = std::slice::from_ref(literal);
    let made = match function {
        "duration" => to_duration(arguments),
        _ => to_timestamp(arguments),
    };
    made.is_ok()
}

fn same<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    arguments.first().cloned().ok_or_else(no_such_overload)
}

fn type_of<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [value] => Ok(Value::Type(value.type_of())),
        _ => Err(no_such_overload()),
    }
}

/// The fault of a value that is not written as `kind` is.
fn unfit<'a>(value: &Value<'a>, kind: &Type) -> Answer<'a> {
    let from = value.type_of().runtime_name();
    let to = kind.runtime_name();
    fail(format!("type conversion error from '{from}' to '{to}'"))
}

fn to_bool<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [value @ Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    match &**text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
        _ => unfit(value, &Type::Bool),
    }
}

fn to_bytes<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::Bytes(text.as_bytes().into())),
        _ => Err(no_such_overload()),
    }
}

fn to_double<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(number)] => Ok(Value::Double(*number as f64)),
        [Value::Uint(number)] => Ok(Value::Double(*number as f64)),
        [value @ Value::String(text)] => {
            parse_double(text).map_or_else(|| unfit(value, &Type::Double), |number| Ok(Value::Double(number)))
        }
        _ => Err(no_such_overload()),
    }
}

fn to_duration<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [value @ Value::Int(_)] => unfit(value, &Type::Duration),
        [value @ Value::String(text)] => time::parse_duration(text).map_or_else(
            || unfit(value, &Type::Duration),
            |nanos| Ok(Value::Duration(nanos)),
        ),
        _ => Err(no_such_overload()),
    }
}

fn to_int<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Double(number)]
            if *number > -9.223_372_036_854_776e18 && *number < 9.223_372_036_854_776e18 =>
        {
            Ok(Value::Int(*number as i64))
        }
        [Value::Double(_)] => fail("integer overflow"),
        [Value::Duration(nanos)] => Ok(Value::Int(*nanos)),
        [Value::Timestamp(at)] => Ok(Value::Int(at.seconds())),
        [Value::Uint(number)] => {
            i64::try_from(*number).map_or_else(|_| fail("integer overflow"), |number| Ok(Value::Int(number)))
        }
        [value @ Value::String(text)] => text
            .parse()
            .map_or_else(|_| unfit(value, &Type::Int), |number| Ok(Value::Int(number))),
        _ => Err(no_such_overload()),
    }
}

fn to_uint<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Double(number)] if *number >= 0.0 && *number < 1.844_674_407_370_955_2e19 => {
            Ok(Value::Uint(*number as u64))
        }
        [Value::Double(_)] => fail("unsigned integer overflow"),
        [Value::Int(number)] => u64::try_from(*number).map_or_else(
            |_| fail("unsigned integer overflow"),
            |number| Ok(Value::Uint(number)),
        ),
        [value @ Value::String(text)] => {
            let parsed = text.parse().ok().filter(|_| !text.starts_with('+'));
            parsed.map_or_else(|| unfit(value, &Type::Uint), |number| Ok(Value::Uint(number)))
        }
        _ => Err(no_such_overload()),
    }
}

/// `string(x)`.
pub(super) fn to_string<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Bytes(bytes)] => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::text(text)),
            Err(_) => fail("invalid UTF-8 in bytes, cannot convert to string"),
        },
        [Value::Duration(nanos)] => Ok(Value::text(time::format_duration(*nanos))),
        [Value::Timestamp(at)] => Ok(Value::text(at.to_string())),
        [Value::Double(number)] => Ok(Value::text(format_double(*number, 6))),
        [value] => Ok(Value::text(value.to_string())),
        _ => Err(no_such_overload()),
    }
}

fn bounded<'a>(at: Instant) -> Answer<'a> {
    if at.is_in_range() {
        Ok(Value::Timestamp(at))
    } else {
        fail("timestamp overflow")
    }
}

/// As Go reads numbers: underscores between digits, and none that is too great.
fn parse_double(text: &str) -> Option<f64> {
    let is_split = |at: usize| {
        let digit = |at: Option<usize>| {
            at.and_then(|at| text.as_bytes().get(at))
                .is_some_and(u8::is_ascii_digit)
        };
        digit(at.checked_sub(1)) && digit(at.checked_add(1))
    };
    if !text.match_indices('_').all(|(at, _)| is_split(at)) {
        return None;
    }
    let number: f64 = text.replace('_', "").parse().ok()?;
    let is_word = text.contains(['n', 'N']);
    (number.is_finite() || is_word).then_some(number)
}

fn to_timestamp<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(seconds)] => bounded(Instant::of_seconds(*seconds)),
        [value @ Value::String(text)] => match Instant::parse(text) {
            Some(at) => bounded(at),
            None => unfit(value, &Type::Timestamp),
        },
        _ => Err(no_such_overload()),
    }
}
