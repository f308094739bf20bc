//! Quantities such as `1.5Gi`.

use std::cmp::Ordering;

use warren_apimachinery::Quantity;
use warren_apimachinery::quantity::Format;

use super::{Answer, Row, fail, no_such_overload};
use crate::EvaluationError;
use crate::value::{Opaque, Value};

pub(super) const TABLE: &[Row] = &[
    (
        "quantity",
        "string_to_quantity",
        "(string) -> kubernetes.Quantity",
        quantity,
    ),
    (
        "isQuantity",
        "is_quantity_string",
        "(string) -> bool",
        is_quantity,
    ),
    ("sign", "quantity_sign", "(kubernetes.Quantity) -> int", sign),
    (
        "isGreaterThan",
        "quantity_is_greater_than",
        "kubernetes.Quantity.(kubernetes.Quantity) -> bool",
        is_greater,
    ),
    (
        "isLessThan",
        "quantity_is_less_than",
        "kubernetes.Quantity.(kubernetes.Quantity) -> bool",
        is_less,
    ),
    (
        "compareTo",
        "quantity_compare_to",
        "kubernetes.Quantity.(kubernetes.Quantity) -> int",
        compare,
    ),
    (
        "asApproximateFloat",
        "quantity_get_float",
        "kubernetes.Quantity.() -> double",
        float,
    ),
    (
        "asInteger",
        "quantity_get_int",
        "kubernetes.Quantity.() -> int",
        integer,
    ),
    (
        "isInteger",
        "quantity_is_integer",
        "kubernetes.Quantity.() -> bool",
        is_integer,
    ),
    (
        "add",
        "quantity_add",
        "kubernetes.Quantity.(kubernetes.Quantity) -> kubernetes.Quantity",
        add,
    ),
    (
        "add",
        "quantity_add_int",
        "kubernetes.Quantity.(int) -> kubernetes.Quantity",
        add,
    ),
    (
        "sub",
        "quantity_sub",
        "kubernetes.Quantity.(kubernetes.Quantity) -> kubernetes.Quantity",
        sub,
    ),
    (
        "sub",
        "quantity_sub_int",
        "kubernetes.Quantity.(int) -> kubernetes.Quantity",
        sub,
    ),
];

const BILLION: i128 = 1_000_000_000;

fn quantity<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    match Quantity::parse(text) {
        Ok(quantity) => Ok(Value::Opaque(Opaque::Quantity(quantity))),
        Err(error) => fail(error.to_string()),
    }
}

fn is_quantity<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::Bool(Quantity::parse(text).is_ok())),
        _ => Err(no_such_overload()),
    }
}

fn one(arguments: &[Value<'_>]) -> Result<Quantity, EvaluationError> {
    match arguments {
        [Value::Opaque(Opaque::Quantity(quantity))] => Ok(*quantity),
        _ => Err(no_such_overload()),
    }
}

fn two(arguments: &[Value<'_>]) -> Result<(Quantity, Quantity), EvaluationError> {
    match arguments {
        [
            Value::Opaque(Opaque::Quantity(one)),
            Value::Opaque(Opaque::Quantity(two)),
        ] => Ok((*one, *two)),
        [Value::Opaque(Opaque::Quantity(one)), Value::Int(two)] => {
            Ok((*one, Quantity::of(*two, Format::DecimalExponent)))
        }
        _ => Err(no_such_overload()),
    }
}

fn sign<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Int(one(arguments)?.sign().into()))
}

fn ordering(arguments: &[Value<'_>]) -> Result<Ordering, EvaluationError> {
    two(arguments).map(|(one, two)| one.cmp(&two))
}

fn is_greater<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(ordering(arguments)?.is_gt()))
}

fn is_less<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(ordering(arguments)?.is_lt()))
}

fn compare<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Int(ordering(arguments)? as i64))
}

fn float<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let nanos = one(arguments)?.nanos();
    let (whole, rest) = (nanos / BILLION, nanos % BILLION);
    Ok(Value::Double(whole as f64 + rest as f64 / BILLION as f64))
}

/// The whole number that a quantity is. The greatest quantity stands for all that upstream can't count.
fn whole(quantity: Quantity) -> Option<i64> {
    let nanos = quantity.nanos();
    let number = i64::try_from(nanos / BILLION).ok()?;
    (nanos % BILLION == 0 && number != i64::MAX).then_some(number)
}

fn integer<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    whole(one(arguments)?).map_or_else(
        || fail("cannot convert value to integer"),
        |number| Ok(Value::Int(number)),
    )
}

fn is_integer<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(whole(one(arguments)?).is_some()))
}

fn add<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (one, two) = two(arguments)?;
    Ok(Value::Opaque(Opaque::Quantity(one + two)))
}

fn sub<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (one, two) = two(arguments)?;
    Ok(Value::Opaque(Opaque::Quantity(one - two)))
}
