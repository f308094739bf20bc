//! Values that may be absent, and the maps that comprehensions build. `or` and `orValue` are carried out by
//! `evaluate`, since they do not evaluate what they do not need.

use super::operators::elsewhere;
use super::{Answer, Row, fail, no_such_overload};
use crate::value::{List, Map, Value};

pub(super) const TABLE: &[Row] = &[
    ("optional.of", "optional_of", "(V) -> optional(V)", of),
    (
        "optional.ofNonZeroValue",
        "optional_ofNonZeroValue",
        "(V) -> optional(V)",
        of_non_zero,
    ),
    ("optional.none", "optional_none", "() -> optional(V)", none),
    ("value", "optional_value", "optional(V).() -> V", value),
    (
        "hasValue",
        "optional_hasValue",
        "optional(V).() -> bool",
        has_value,
    ),
    (
        "or",
        "optional_or_optional",
        "optional(V).(optional(V)) -> optional(V)",
        elsewhere,
    ),
    (
        "orValue",
        "optional_orValue_value",
        "optional(V).(V) -> V",
        elsewhere,
    ),
    (
        "_?._",
        "select_optional_field",
        "(dyn, string) -> optional(V)",
        elsewhere,
    ),
    (
        "_[?_]",
        "list_optindex_optional_int",
        "(list(V), int) -> optional(V)",
        elsewhere,
    ),
    (
        "_[?_]",
        "optional_list_optindex_optional_int",
        "(optional(list(V)), int) -> optional(V)",
        elsewhere,
    ),
    (
        "_[?_]",
        "map_optindex_optional_value",
        "(map(K, V), K) -> optional(V)",
        elsewhere,
    ),
    (
        "_[?_]",
        "optional_map_optindex_optional_value",
        "(optional(map(K, V)), K) -> optional(V)",
        elsewhere,
    ),
    ("last", "list_last", "list(V).() -> optional(V)", last),
    ("first", "list_first", "list(V).() -> optional(V)", first),
    (
        "optional.unwrap",
        "optional_unwrap",
        "(list(optional(V))) -> list(V)",
        unwrap,
    ),
    (
        "unwrapOpt",
        "optional_unwrapOpt",
        "list(optional(V)).() -> list(V)",
        unwrap,
    ),
    (
        "cel.@mapInsert",
        "@mapInsert_map_key_value",
        "(map(K, V), K, V) -> map(K, V)",
        insert,
    ),
    (
        "cel.@mapInsert",
        "@mapInsert_map_map",
        "(map(K, V), map(K, V)) -> map(K, V)",
        insert_all,
    ),
];

fn of<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [value] => Ok(Value::some(value.clone())),
        _ => Err(no_such_overload()),
    }
}

fn of_non_zero<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [value] if value.is_zero() => Ok(Value::Optional(None)),
        _ => of(arguments),
    }
}

/// `optional.none()`.
pub(super) fn none<'a>(_: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Optional(None))
}

fn value<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Optional(Some(value))] => Ok((**value).clone()),
        [Value::Optional(None)] => fail("optional.none() dereference"),
        _ => Err(no_such_overload()),
    }
}

fn has_value<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
        _ => Err(no_such_overload()),
    }
}

fn at<'a>(list: &List<'a>, place: Option<usize>) -> Answer<'a> {
    match place.and_then(|place| list.get(place)) {
        Some(value) => value.map(Value::some),
        None => Ok(Value::Optional(None)),
    }
}

fn first<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::List(list)] => at(list, Some(0)),
        _ => Err(no_such_overload()),
    }
}

fn last<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::List(list)] => at(list, list.len().checked_sub(1)),
        _ => Err(no_such_overload()),
    }
}

fn unwrap<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::List(list)] = arguments else {
        return Err(no_such_overload());
    };
    let mut values = Vec::new();
    for element in list.iter() {
        match element? {
            Value::Optional(Some(value)) => values.push((*value).clone()),
            Value::Optional(None) => {}
            other => return fail(format!("value {other} is not optional")),
        }
    }
    Ok(Value::list(values))
}

fn insert<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Map(map), key, value] => map.clone().insert(key, value.clone()).map(Value::Map),
        _ => Err(no_such_overload()),
    }
}

fn insert_all<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::Map(map), Value::Map(more)] = arguments else {
        return Err(no_such_overload());
    };
    let mut whole: Map<'a> = map.clone();
    for key in more.keys() {
        if let Some(value) = more.get(&key) {
            whole = whole.insert(&key, value?)?;
        }
    }
    Ok(Value::Map(whole))
}
