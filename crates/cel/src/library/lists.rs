//! Lists: Kubernetes' own functions and the lists extension.

use std::cmp::Ordering;

use smol_str::SmolStr;

use super::{Answer, Implementation, Row, fail, no_such_overload, typed_id};
use crate::EvaluationError;
use crate::value::{List, Value};

pub(super) const TABLE: &[Row] = &[
    ("indexOf", "list_a_index_of_int", "list(A).(A) -> int", index_of),
    (
        "lastIndexOf",
        "list_a_last_index_of_int",
        "list(A).(A) -> int",
        last_index_of,
    ),
    ("slice", "list_slice", "list(T).(int, int) -> list(T)", slice),
    ("flatten", "list_flatten", "list(list(T)).() -> list(T)", flatten),
    (
        "flatten",
        "list_flatten_int",
        "list(dyn).(int) -> list(dyn)",
        flatten,
    ),
    ("lists.range", "lists_range", "(int) -> list(int)", range),
    ("reverse", "list_reverse", "list(T).() -> list(T)", reverse),
    ("distinct", "list_distinct", "list(T).() -> list(T)", distinct),
];

/// The most elements that `lists.range` makes: as many as the limit on costs would let pass.
const LONGEST_RANGE: i64 = 1_000_000;

const SUMMED: [&str; 4] = ["int", "uint", "double", "duration"];
const COMPARED: [&str; 8] = [
    "int",
    "uint",
    "double",
    "bool",
    "duration",
    "timestamp",
    "string",
    "bytes",
];

/// The functions that are declared once for each type of element.
pub(super) fn typed() -> Vec<(&'static str, SmolStr, String, Implementation)> {
    let mut rows: Vec<(&'static str, SmolStr, String, Implementation)> = Vec::new();
    let sums: [Implementation; 4] = [sum_int, sum_uint, sum_double, sum_duration];
    for (kind, run) in SUMMED.into_iter().zip(sums) {
        let id = typed_id("list_", kind, &format!("_sum_{kind}"));
        rows.push(("sum", id, format!("list({kind}).() -> {kind}"), run));
    }
    for kind in COMPARED {
        let wire = match kind {
            "duration" => "google.protobuf.Duration",
            "timestamp" => "google.protobuf.Timestamp",
            kind => kind,
        };
        rows.push((
            "isSorted",
            typed_id("list_", kind, "_is_sorted_bool"),
            format!("list({kind}).() -> bool"),
            is_sorted,
        ));
        for (name, run) in [("min", min as Implementation), ("max", max)] {
            let id = typed_id("list_", kind, &format!("_{name}_{kind}"));
            rows.push((name, id, format!("list({kind}).() -> {kind}"), run));
        }
        rows.push((
            "sort",
            typed_id("list_", wire, "_sort"),
            format!("list({kind}).() -> list({kind})"),
            sort,
        ));
        rows.push((
            "@sortByAssociatedKeys",
            typed_id("list_", wire, "_sortByAssociatedKeys"),
            format!("list(T).(list({kind})) -> list(T)"),
            sort_by_keys,
        ));
    }
    rows
}

fn items<'a>(arguments: &[Value<'a>]) -> Result<Vec<Value<'a>>, EvaluationError> {
    match arguments.first() {
        Some(Value::List(list)) => list.items(),
        _ => Err(no_such_overload()),
    }
}

fn order<'a>(one: &Value<'a>, two: &Value<'a>) -> Result<Ordering, EvaluationError> {
    one.order(two)?.ok_or_else(no_such_overload)
}

fn is_sorted<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let items = items(arguments)?;
    for pair in items.windows(2) {
        if let [one, two] = pair
            && order(one, two)?.is_gt()
        {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn extreme<'a>(arguments: &[Value<'a>], name: &str, wanted: Ordering) -> Answer<'a> {
    let mut best: Option<Value<'a>> = None;
    for item in items(arguments)? {
        let is_better = match &best {
            Some(known) => order(&item, known)? == wanted,
            None => true,
        };
        if is_better {
            best = Some(item);
        }
    }
    best.map_or_else(|| fail(format!("{name} called on empty list")), Ok)
}

fn min<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    extreme(arguments, "min", Ordering::Less)
}

fn max<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    extreme(arguments, "max", Ordering::Greater)
}

fn sum<'a>(arguments: &[Value<'a>], zero: Value<'a>) -> Answer<'a> {
    let Some(add) = super::function("_+_") else {
        return Err(no_such_overload());
    };
    let overloads: Vec<_> = add.overloads.iter().collect();
    items(arguments)?
        .into_iter()
        .try_fold(zero, |sum, item| add.call(&overloads, &[sum, item]))
}

fn sum_int<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    sum(arguments, Value::Int(0))
}

fn sum_uint<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    sum(arguments, Value::Uint(0))
}

fn sum_double<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    sum(arguments, Value::Double(0.0))
}

fn sum_duration<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    sum(arguments, Value::Duration(0))
}

fn place<'a>(at: Option<usize>) -> Answer<'a> {
    Ok(Value::Int(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

fn index_of<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::List(list), wanted] = arguments else {
        return Err(no_such_overload());
    };
    let items = list.items()?;
    place(items.iter().position(|item| item.equals(wanted).unwrap_or(false)))
}

fn last_index_of<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::List(list), wanted] = arguments else {
        return Err(no_such_overload());
    };
    let items = list.items()?;
    place(
        items
            .iter()
            .rposition(|item| item.equals(wanted).unwrap_or(false)),
    )
}

fn slice<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::List(list), Value::Int(start), Value::Int(end)] = arguments else {
        return Err(no_such_overload());
    };
    let length = list.len();
    let (Ok(from), Ok(to)) = (usize::try_from(*start), usize::try_from(*end)) else {
        return fail(format!(
            "cannot slice({start}, {end}), negative indexes not supported"
        ));
    };
    if from > to {
        return fail(format!(
            "cannot slice({start}, {end}), start index must be less than or equal to end index"
        ));
    }
    if to > length {
        return fail(format!("cannot slice({start}, {end}), list is length {length}"));
    }
    let part: Result<Vec<Value<'a>>, _> = (from..to).filter_map(|at| list.get(at)).collect();
    Ok(Value::list(part?))
}

fn flatten<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (list, depth) = match arguments {
        [Value::List(list)] => (list, 1),
        [Value::List(list), Value::Int(depth)] => (list, *depth),
        _ => return Err(no_such_overload()),
    };
    if depth < 0 {
        return fail("level must be non-negative");
    }
    let mut flat = Vec::new();
    flatten_into(list, depth, &mut flat)?;
    Ok(Value::list(flat))
}

/// As deep as values are, which is as deep as JSON may be read or an expression be nested.
fn flatten_into<'a>(list: &List<'a>, depth: i64, flat: &mut Vec<Value<'a>>) -> Result<(), EvaluationError> {
    for item in list.iter() {
        match item? {
            Value::List(inner) if depth > 0 => flatten_into(&inner, depth - 1, flat)?,
            other => flat.push(other),
        }
    }
    Ok(())
}

fn range<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Int(count)] if *count > LONGEST_RANGE => Err(EvaluationError::CostLimit),
        [Value::Int(count)] => Ok(Value::list((0..*count).map(Value::Int).collect())),
        _ => Err(no_such_overload()),
    }
}

fn reverse<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let mut items = items(arguments)?;
    items.reverse();
    Ok(Value::list(items))
}

fn distinct<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let items = items(arguments)?;
    let mut unique: Vec<Value<'a>> = Vec::new();
    for item in items {
        let is_known = unique.iter().any(|known| known.equals(&item).unwrap_or(false));
        if !is_known {
            unique.push(item);
        }
    }
    Ok(Value::list(unique))
}

fn sort<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let items = items(arguments)?;
    sorted(items.clone(), items)
}

fn sort_by_keys<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::List(list), Value::List(keys)] = arguments else {
        return Err(no_such_overload());
    };
    if list.len() != keys.len() {
        return fail(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and \
             {} elements respectively",
            list.len(),
            keys.len()
        ));
    }
    sorted(list.items()?, keys.items()?)
}

fn sorted<'a>(items: Vec<Value<'a>>, keys: Vec<Value<'a>>) -> Answer<'a> {
    if let Some(first) = keys.first()
        && keys.iter().any(|key| !key.type_of().is_alike(&first.type_of()))
    {
        return fail("list elements must have the same type");
    }
    let mut pairs: Vec<(Value<'a>, Value<'a>)> = keys.into_iter().zip(items).collect();
    let mut fault = None;
    pairs.sort_by(|(one, _), (two, _)| {
        order(one, two).unwrap_or_else(|error| {
            fault = Some(error);
            Ordering::Equal
        })
    });
    match fault {
        Some(_) => fail("list elements must be comparable"),
        None => Ok(Value::list(pairs.into_iter().map(|(_, item)| item).collect())),
    }
}
