//! `math` and `base64`: of the language's extensions, not in Kubernetes; for Warren's own configuration.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Answer, Row, fail, no_such_overload};
use crate::value::Value;

pub(super) const TABLE: &[Row] = &[
    (
        "base64.encode",
        "base64_encode_bytes",
        "(bytes) -> string",
        encode,
    ),
    (
        "base64.decode",
        "base64_decode_string",
        "(string) -> bytes",
        decode,
    ),
    ("math.ceil", "math_ceil_double", "(double) -> double", ceil),
    ("math.floor", "math_floor_double", "(double) -> double", floor),
    ("math.round", "math_round_double", "(double) -> double", round),
    ("math.trunc", "math_trunc_double", "(double) -> double", trunc),
    ("math.abs", "math_abs_double", "(double) -> double", abs),
    ("math.abs", "math_abs_int", "(int) -> int", abs),
    ("math.abs", "math_abs_uint", "(uint) -> uint", abs),
];

fn encode<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Bytes(bytes)] => Ok(Value::text(STANDARD.encode(bytes))),
        _ => Err(no_such_overload()),
    }
}

fn decode<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    match STANDARD
        .decode(&**text)
        .or_else(|_| STANDARD_NO_PAD.decode(&**text))
    {
        Ok(bytes) => Ok(Value::Bytes(bytes.into())),
        Err(error) => fail(error.to_string()),
    }
}

fn double<'a>(arguments: &[Value<'a>], of: fn(f64) -> f64) -> Answer<'a> {
    match arguments {
        [Value::Double(number)] => Ok(Value::Double(of(*number))),
        _ => Err(no_such_overload()),
    }
}

fn ceil<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    double(arguments, f64::ceil)
}

fn floor<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    double(arguments, f64::floor)
}

fn round<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    double(arguments, f64::round)
}

fn trunc<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    double(arguments, f64::trunc)
}

fn abs<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(number)] => number
            .checked_abs()
            .map_or_else(|| fail("integer overflow"), |number| Ok(Value::Int(number))),
        [Value::Uint(number)] => Ok(Value::Uint(*number)),
        _ => double(arguments, f64::abs),
    }
}
