//! Lists as sets.

use super::{Answer, Row, no_such_overload};
use crate::EvaluationError;
use crate::value::{List, Value};

pub(super) const TABLE: &[Row] = &[
    (
        "sets.contains",
        "list_sets_contains_list",
        "(list(T), list(T)) -> bool",
        contains,
    ),
    (
        "sets.equivalent",
        "list_sets_equivalent_list",
        "(list(T), list(T)) -> bool",
        equivalent,
    ),
    (
        "sets.intersects",
        "list_sets_intersects_list",
        "(list(T), list(T)) -> bool",
        intersects,
    ),
];

fn has_all<'a>(list: &List<'a>, part: &List<'a>) -> Result<bool, EvaluationError> {
    for element in part.iter() {
        if !list.contains(&element?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lists<'v, 'a>(arguments: &'v [Value<'a>]) -> Result<(&'v List<'a>, &'v List<'a>), EvaluationError> {
    match arguments {
        [Value::List(one), Value::List(two)] => Ok((one, two)),
        _ => Err(no_such_overload()),
    }
}

fn contains<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (list, part) = lists(arguments)?;
    has_all(list, part).map(Value::Bool)
}

fn equivalent<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (one, two) = lists(arguments)?;
    Ok(Value::Bool(has_all(one, two)? && has_all(two, one)?))
}

fn intersects<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (one, two) = lists(arguments)?;
    for element in one.iter() {
        if two.contains(&element?).unwrap_or(false) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}
