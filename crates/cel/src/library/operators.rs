//! The operators. Those that do not evaluate all operands (`&&`, `||`, `?:`) and those that select are carried
//! out by `evaluate`; here they have their types.

use std::cmp::Ordering;

use smol_str::SmolStr;

use super::{Answer, Implementation, Row, fail, no_such_overload, typed_id};
use crate::value::{Instant, Value};

pub(super) const TABLE: &[Row] = &[
    ("_?_:_", "conditional", "(bool, A, A) -> A", elsewhere),
    ("_&&_", "logical_and", "(bool, bool) -> bool", elsewhere),
    ("_||_", "logical_or", "(bool, bool) -> bool", elsewhere),
    ("!_", "logical_not", "(bool) -> bool", not),
    (
        "@not_strictly_false",
        "not_strictly_false",
        "(bool) -> bool",
        elsewhere,
    ),
    ("_==_", "equals", "(A, A) -> bool", equal),
    ("_!=_", "not_equals", "(A, A) -> bool", not_equal),
    ("_+_", "add_bytes", "(bytes, bytes) -> bytes", add),
    ("_+_", "add_double", "(double, double) -> double", add),
    (
        "_+_",
        "add_duration_duration",
        "(duration, duration) -> duration",
        add,
    ),
    (
        "_+_",
        "add_duration_timestamp",
        "(duration, timestamp) -> timestamp",
        add,
    ),
    (
        "_+_",
        "add_timestamp_duration",
        "(timestamp, duration) -> timestamp",
        add,
    ),
    ("_+_", "add_int64", "(int, int) -> int", add),
    ("_+_", "add_list", "(list(A), list(A)) -> list(A)", add),
    ("_+_", "add_string", "(string, string) -> string", add),
    ("_+_", "add_uint64", "(uint, uint) -> uint", add),
    ("_/_", "divide_double", "(double, double) -> double", divide),
    ("_/_", "divide_int64", "(int, int) -> int", divide),
    ("_/_", "divide_uint64", "(uint, uint) -> uint", divide),
    ("_%_", "modulo_int64", "(int, int) -> int", modulo),
    ("_%_", "modulo_uint64", "(uint, uint) -> uint", modulo),
    ("_*_", "multiply_double", "(double, double) -> double", multiply),
    ("_*_", "multiply_int64", "(int, int) -> int", multiply),
    ("_*_", "multiply_uint64", "(uint, uint) -> uint", multiply),
    ("-_", "negate_double", "(double) -> double", negate),
    ("-_", "negate_int64", "(int) -> int", negate),
    ("_-_", "subtract_double", "(double, double) -> double", subtract),
    (
        "_-_",
        "subtract_duration_duration",
        "(duration, duration) -> duration",
        subtract,
    ),
    ("_-_", "subtract_int64", "(int, int) -> int", subtract),
    (
        "_-_",
        "subtract_timestamp_duration",
        "(timestamp, duration) -> timestamp",
        subtract,
    ),
    (
        "_-_",
        "subtract_timestamp_timestamp",
        "(timestamp, timestamp) -> duration",
        subtract,
    ),
    ("_-_", "subtract_uint64", "(uint, uint) -> uint", subtract),
    ("_[_]", "index_list", "(list(A), int) -> A", elsewhere),
    ("_[_]", "index_map", "(map(A, B), A) -> B", elsewhere),
    (
        "_[_]",
        "optional_list_index_int",
        "(optional(list(V)), int) -> optional(V)",
        elsewhere,
    ),
    (
        "_[_]",
        "optional_map_index_value",
        "(optional(map(K, V)), K) -> optional(V)",
        elsewhere,
    ),
    ("@in", "in_list", "(A, list(A)) -> bool", within),
    ("@in", "in_map", "(A, map(A, B)) -> bool", within),
    ("size", "size_bytes", "(bytes) -> int", size),
    ("size", "bytes_size", "bytes.() -> int", size),
    ("size", "size_list", "(list(A)) -> int", size),
    ("size", "list_size", "list(A).() -> int", size),
    ("size", "size_map", "(map(A, B)) -> int", size),
    ("size", "map_size", "map(A, B).() -> int", size),
    ("size", "size_string", "(string) -> int", size),
    ("size", "string_size", "string.() -> int", size),
];

/// `<`, `<=`, `>`, `>=` for all pairs of types that have an order.
pub(super) fn comparisons() -> Vec<(&'static str, SmolStr, String, Implementation)> {
    const KINDS: [(&str, &str, &str); 14] = [
        ("bool", "bool", "bool"),
        ("int64", "int", "int"),
        ("int64_double", "int", "double"),
        ("int64_uint64", "int", "uint"),
        ("uint64", "uint", "uint"),
        ("uint64_double", "uint", "double"),
        ("uint64_int64", "uint", "int"),
        ("double", "double", "double"),
        ("double_int64", "double", "int"),
        ("double_uint64", "double", "uint"),
        ("string", "string", "string"),
        ("bytes", "bytes", "bytes"),
        ("timestamp", "timestamp", "timestamp"),
        ("duration", "duration", "duration"),
    ];
    let operators: [(&'static str, &str, Implementation); 4] = [
        ("_<_", "less_", less),
        ("_<=_", "less_equals_", less_equals),
        ("_>_", "greater_", greater),
        ("_>=_", "greater_equals_", greater_equals),
    ];
    let mut rows = Vec::new();
    for (operator, id, run) in operators {
        for (name, one, two) in KINDS {
            rows.push((
                operator,
                typed_id(id, name, ""),
                format!("({one}, {two}) -> bool"),
                run,
            ));
        }
    }
    rows
}

/// For what `evaluate` carries out itself.
pub(super) fn elsewhere<'a>(_: &[Value<'a>]) -> Answer<'a> {
    Err(no_such_overload())
}

fn not<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Bool(value)] => Ok(Value::Bool(!value)),
        _ => Err(no_such_overload()),
    }
}

fn equal<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [one, two] => one.equals(two).map(Value::Bool),
        _ => Err(no_such_overload()),
    }
}

fn not_equal<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [one, two] => one.equals(two).map(|is_equal| Value::Bool(!is_equal)),
        _ => Err(no_such_overload()),
    }
}

fn ordered<'a>(arguments: &[Value<'a>], holds: fn(Ordering) -> bool) -> Answer<'a> {
    let [one, two] = arguments else {
        return Err(no_such_overload());
    };
    match one.order(two)? {
        Some(order) => Ok(Value::Bool(holds(order))),
        None => Err(no_such_overload()),
    }
}

fn less<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    ordered(arguments, Ordering::is_lt)
}

fn less_equals<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    ordered(arguments, Ordering::is_le)
}

fn greater<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    ordered(arguments, Ordering::is_gt)
}

fn greater_equals<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    ordered(arguments, Ordering::is_ge)
}

fn int<'a>(result: Option<i64>) -> Answer<'a> {
    result.map_or_else(|| fail("integer overflow"), |number| Ok(Value::Int(number)))
}

fn uint<'a>(result: Option<u64>) -> Answer<'a> {
    result.map_or_else(
        || fail("unsigned integer overflow"),
        |number| Ok(Value::Uint(number)),
    )
}

fn duration<'a>(result: Option<i64>) -> Answer<'a> {
    result.map_or_else(|| fail("integer overflow"), |nanos| Ok(Value::Duration(nanos)))
}

fn timestamp<'a>(at: Option<Instant>) -> Answer<'a> {
    at.map_or_else(|| fail("timestamp overflow"), |at| Ok(Value::Timestamp(at)))
}

fn add<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(one), Value::Int(two)] => int(one.checked_add(*two)),
        [Value::Uint(one), Value::Uint(two)] => uint(one.checked_add(*two)),
        [Value::Double(one), Value::Double(two)] => Ok(Value::Double(one + two)),
        [Value::String(one), Value::String(two)] => Ok(Value::text(format!("{}{}", &**one, &**two))),
        [Value::Bytes(one), Value::Bytes(two)] => Ok(Value::Bytes([&**one, &**two].concat().into())),
        [Value::Duration(one), Value::Duration(two)] => duration(one.checked_add(*two)),
        [Value::Duration(nanos), Value::Timestamp(at)] | [Value::Timestamp(at), Value::Duration(nanos)] => {
            timestamp(at.plus(i128::from(*nanos)))
        }
        [Value::List(one), Value::List(two)] => one.clone().concat(two).map(Value::List),
        _ => Err(no_such_overload()),
    }
}

fn subtract<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(one), Value::Int(two)] => int(one.checked_sub(*two)),
        [Value::Uint(one), Value::Uint(two)] => uint(one.checked_sub(*two)),
        [Value::Double(one), Value::Double(two)] => Ok(Value::Double(one - two)),
        [Value::Duration(one), Value::Duration(two)] => duration(one.checked_sub(*two)),
        [Value::Timestamp(at), Value::Duration(nanos)] => timestamp(at.plus(-i128::from(*nanos))),
        [Value::Timestamp(one), Value::Timestamp(two)] => {
            duration(i64::try_from(one.nanoseconds() - two.nanoseconds()).ok())
        }
        _ => Err(no_such_overload()),
    }
}

fn multiply<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(one), Value::Int(two)] => int(one.checked_mul(*two)),
        [Value::Uint(one), Value::Uint(two)] => uint(one.checked_mul(*two)),
        [Value::Double(one), Value::Double(two)] => Ok(Value::Double(one * two)),
        _ => Err(no_such_overload()),
    }
}

fn divide<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => fail("division by zero"),
        [Value::Int(one), Value::Int(two)] => int(one.checked_div(*two)),
        [Value::Uint(one), Value::Uint(two)] => uint(one.checked_div(*two)),
        [Value::Double(one), Value::Double(two)] => Ok(Value::Double(one / two)),
        _ => Err(no_such_overload()),
    }
}

fn modulo<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => fail("modulus by zero"),
        [Value::Int(one), Value::Int(two)] => int(one.checked_rem(*two)),
        [Value::Uint(one), Value::Uint(two)] => uint(one.checked_rem(*two)),
        _ => Err(no_such_overload()),
    }
}

fn negate<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(number)] => int(number.checked_neg()),
        [Value::Double(number)] => Ok(Value::Double(-number)),
        [Value::Duration(nanos)] => duration(nanos.checked_neg()),
        _ => Err(no_such_overload()),
    }
}

fn within<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [value, Value::List(list)] => list.contains(value).map(Value::Bool),
        [key, Value::Map(map)] => match map.get(key) {
            Some(found) => found.map(|_| Value::Bool(true)),
            None => Ok(Value::Bool(false)),
        },
        _ => Err(no_such_overload()),
    }
}

fn size<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [value @ (Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_))] => {
            Ok(Value::Int(i64::try_from(value.size()).unwrap_or(i64::MAX)))
        }
        _ => Err(no_such_overload()),
    }
}
