//! Where the steps of a path lead. Missing fields lead nowhere; what the library fails on is an error.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Filter, Found, Slice, Step};

/// How many values a path may lead to at once: unions and descents multiply.
const MOST: usize = 100_000;

/// The library fails on the value.
#[derive(Debug)]
pub(super) struct Failed;

type Outcome<'v> = Result<Vec<Found<'v>>, Failed>;

/// Takes the steps one after the other.
pub(super) fn list<'v>(steps: &[Step], from: Vec<Found<'v>>) -> Outcome<'v> {
    steps.iter().try_fold(from, |found, one| {
        let found = step(one, found)?;
        if found.len() > MOST {
            Err(Failed)
        } else {
            Ok(found)
        }
    })
}

fn step<'v>(step: &Step, from: Vec<Found<'v>>) -> Outcome<'v> {
    match step {
        Step::Field(name) => Ok(from.into_iter().filter_map(|value| field(value, name)).collect()),
        Step::Slice(slice) => from.into_iter().try_fold(Vec::new(), |mut found, value| {
            if !value.value().is_null() {
                found.extend(elements(value, slice)?);
            }
            Ok(found)
        }),
        Step::Filter(filter) => from.into_iter().try_fold(Vec::new(), |mut found, value| {
            found.extend(filtered(value, filter)?);
            Ok(found)
        }),
        Step::Wildcard => Ok(from.into_iter().flat_map(children).collect()),
        Step::Recursive => {
            let mut found = Vec::new();
            for value in from {
                descend(value, &mut found)?;
            }
            Ok(found)
        }
        Step::Union(lists) => lists.iter().try_fold(Vec::new(), |mut found, steps| {
            found.extend(list(steps, from.clone())?);
            Ok(found)
        }),
        Step::Literal(value) => match value {
            // Text stands once, whatever was found so far.
            Value::String(_) => Ok(vec![Found::Made(value.clone())]),
            value => Ok(from.iter().map(|_| Found::Made(value.clone())).collect()),
        },
        Step::Word => Err(Failed),
    }
}

fn field<'v>(value: Found<'v>, name: &str) -> Option<Found<'v>> {
    match value {
        Found::Of(value) => value.as_object()?.get(name).map(Found::Of),
        Found::Made(_) => None,
    }
}

fn children(value: Found<'_>) -> Vec<Found<'_>> {
    match value {
        Found::Of(Value::Object(map)) => map.values().map(Found::Of).collect(),
        Found::Of(Value::Array(items)) => items.iter().map(Found::Of).collect(),
        // Go's library goes through the bytes of a text.
        Found::Of(Value::String(text)) => bytes(text),
        Found::Made(Value::String(text)) => bytes(&text),
        _ => Vec::new(),
    }
}

fn bytes<'v>(text: &str) -> Vec<Found<'v>> {
    text.bytes().map(|byte| Found::Made(byte.into())).collect()
}

/// A value that holds others, and all of those below it.
fn descend<'v>(value: Found<'v>, found: &mut Vec<Found<'v>>) -> Result<(), Failed> {
    let below = children(value.clone());
    if below.is_empty() {
        return Ok(());
    }
    if found.len() > MOST {
        return Err(Failed);
    }
    found.push(value);
    below.into_iter().try_for_each(|value| descend(value, found))
}

fn elements<'v>(value: Found<'v>, slice: &Slice) -> Outcome<'v> {
    let Found::Of(Value::Array(items)) = value else {
        return Err(Failed);
    };
    let length = i64::try_from(items.len()).map_err(|_| Failed)?;
    let mut from = slice.from.unwrap_or(0);
    if from < 0 {
        from += length;
    }
    let mut to = slice.to.unwrap_or(length);
    if to < 0 || (to == 0 && slice.is_index) {
        to += length;
    }
    if from == to {
        return Ok(Vec::new());
    }
    if from < 0 || from >= length || to < 0 || to > length || from > to {
        return Err(Failed);
    }
    let by = slice.by.unwrap_or(1);
    if by <= 0 {
        return Err(Failed);
    }
    let (from, to, by) = (index(from)?, index(to)?, index(by)?);
    let chosen = items.get(from..to).unwrap_or_default();
    Ok(chosen.iter().step_by(by).map(Found::Of).collect())
}

fn index(number: i64) -> Result<usize, Failed> {
    usize::try_from(number).map_err(|_| Failed)
}

fn filtered<'v>(value: Found<'v>, filter: &Filter) -> Outcome<'v> {
    let Found::Of(Value::Array(items)) = value else {
        return Err(Failed);
    };
    let mut kept = Vec::new();
    for item in items {
        let left = list(&filter.left, vec![Found::Of(item)]);
        if filter.operator.is_empty() {
            if left.is_ok_and(|left| !left.is_empty()) {
                kept.push(Found::Of(item));
            }
            continue;
        }
        let Some(left) = only(left?)? else { continue };
        let Some(right) = only(list(&filter.right, vec![Found::Of(item)])?)? else {
            continue;
        };
        if holds(&filter.operator, left.value(), right.value())? {
            kept.push(Found::Of(item));
        }
    }
    Ok(kept)
}

/// The one value of several; more can't be compared.
fn only(mut found: Vec<Found<'_>>) -> Result<Option<Found<'_>>, Failed> {
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(Failed),
    }
}

fn holds(operator: &str, left: &Value, right: &Value) -> Result<bool, Failed> {
    let order = compare(left, right)?;
    let is_ordered = !left.is_boolean();
    match operator {
        "==" => Ok(order == Ordering::Equal),
        "!=" => Ok(order != Ordering::Equal),
        "<" if is_ordered => Ok(order == Ordering::Less),
        "<=" if is_ordered => Ok(order != Ordering::Greater),
        ">" if is_ordered => Ok(order == Ordering::Greater),
        ">=" if is_ordered => Ok(order != Ordering::Less),
        _ => Err(Failed),
    }
}

/// Go compares values of one kind: a whole number and a float are two.
fn compare(left: &Value, right: &Value) -> Result<Ordering, Failed> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Ok(left.cmp(&right)),
            (None, None) => {
                let (left, right) = (left.as_f64(), right.as_f64());
                left.partial_cmp(&right).ok_or(Failed)
            }
            _ => Err(Failed),
        },
        _ => Err(Failed),
    }
}
