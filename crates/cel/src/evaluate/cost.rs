//! What a call costs once it is made: by the sizes of its arguments, as upstream counts it.

use crate::library::is_nominal;
use crate::value::{Opaque, Value};
use crate::{EvaluationError, plan::CallOp};

use super::Run;

/// Per character that is looked at.
const PER_CHARACTER: f64 = 0.1;
/// Per character of a regular expression.
const PER_PATTERN_CHARACTER: f64 = 0.25;
/// What a question to the authorizer costs.
const CHECK: u64 = 350_000;
/// The most elements of a list that is put together. Upstream counts one for it whatever its length.
const LONGEST_LIST: u64 = 1_000_000;

fn scan(characters: u64, factor: f64) -> u64 {
    (characters as f64 * factor).ceil() as u64
}

fn size(arguments: &[Value<'_>], at: usize) -> u64 {
    arguments.get(at).map_or(1, Value::size)
}

fn pattern(arguments: &[Value<'_>]) -> u64 {
    let text = ((1.0 + size(arguments, 0) as f64) * PER_CHARACTER).ceil() as u64;
    text.saturating_mul(scan(size(arguments, 1), PER_PATTERN_CHARACTER))
}

/// The cost of a call. `overload` is empty where more than one may have been meant.
pub(super) fn call(
    function: &str,
    overload: &str,
    arguments: &[Value<'_>],
    result: Option<&Value<'_>>,
) -> u64 {
    if let Some(cost) = of_lists(overload, arguments, result) {
        return cost;
    }
    if let Some(cost) = of_kubernetes(function, overload, arguments, result) {
        return cost;
    }
    match overload {
        "starts_with_string" | "ends_with_string" | "string_to_bytes" | "bytes_to_string"
        | "strings_quote" | "string_format" => scan(size(arguments, 0), PER_CHARACTER),
        "in_list" => size(arguments, 1),
        "equals" | "not_equals" => scan(size(arguments, 0).min(size(arguments, 1)), PER_CHARACTER),
        "add_string" | "add_bytes" => scan(size(arguments, 0) + size(arguments, 1), PER_CHARACTER),
        "matches_string" => pattern(arguments),
        "contains_string" => {
            scan(size(arguments, 0), PER_CHARACTER).saturating_mul(scan(size(arguments, 1), PER_CHARACTER))
        }
        _ if (overload.starts_with("less_") || overload.starts_with("greater_"))
            && (overload.ends_with("_string") || overload.ends_with("_bytes")) =>
        {
            scan(size(arguments, 0).min(size(arguments, 1)), PER_CHARACTER)
        }
        _ => 1,
    }
}

/// The sets and lists extensions.
fn of_lists(overload: &str, arguments: &[Value<'_>], result: Option<&Value<'_>>) -> Option<u64> {
    // As Go converts it, less than nothing wraps around.
    let made = |factor: f64, length: u64| {
        let each = length as f64 * factor;
        let each = if each < 0.0 {
            (each as i64).cast_unsigned()
        } else {
            each as u64
        };
        each.wrapping_add(1 + super::LIST)
    };
    let compared = |at: usize| {
        let length = size(arguments, at);
        let first = match arguments.get(at) {
            Some(Value::List(list)) => list.get(0),
            _ => None,
        };
        let is_text = matches!(first, Some(Ok(Value::String(_) | Value::Bytes(_))));
        let factor = if is_text { 2.0 + PER_CHARACTER } else { 2.0 };
        made(factor, length.saturating_mul(length))
    };
    let product = || size(arguments, 0).saturating_mul(size(arguments, 1));
    Some(match overload {
        "list_sets_contains_list" | "list_sets_intersects_list" => 1 + product(),
        "list_sets_equivalent_list" => 1 + product().saturating_mul(2),
        "list_slice" | "lists_range" | "list_reverse" => made(1.0, result.map_or(1, Value::size)),
        "list_flatten" => made(1.0, size(arguments, 0)),
        "list_flatten_int" => match arguments.get(1) {
            Some(Value::Int(depth)) => made(*depth as f64, size(arguments, 0)),
            _ => made(1.0, size(arguments, 0)),
        },
        "list_distinct" => compared(0),
        _ if overload.starts_with("list_") && overload.ends_with("_sortByAssociatedKeys") => compared(1),
        _ if overload.starts_with("list_") && overload.ends_with("_sort") => compared(0),
        _ => return None,
    })
}

/// Kubernetes' libraries, by the name of the function.
fn of_kubernetes(
    function: &str,
    overload: &str,
    arguments: &[Value<'_>],
    result: Option<&Value<'_>>,
) -> Option<u64> {
    Some(match function {
        "check" => CHECK,
        function if is_nominal(function) => 1,
        "fieldSelector" | "labelSelector" => {
            let length = size(arguments, 1);
            10 + scan(length, PER_CHARACTER) + scan(scan(length, 0.5), 50.0)
        }
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => {
            arguments.first().map_or(0, traversal)
        }
        "ip" if overload == "cidr_ip" => 1,
        "url"
        | "lowerAscii"
        | "upperAscii"
        | "substring"
        | "trim"
        | "jsonpatch.escapeKey"
        | "cidr"
        | "isIP"
        | "isCIDR"
        | "ip"
        | "quantity"
        | "isQuantity"
        | "semver"
        | "isSemver" => scan(size(arguments, 0), PER_CHARACTER),
        "replace" | "split" | "ip.isCanonical" => scan(size(arguments, 0), 2.0 * PER_CHARACTER),
        "join" => scan(result.map_or(1, Value::size), 2.0 * PER_CHARACTER),
        "find" | "findAll" => pattern(arguments),
        "containsIP" | "containsCIDR" => {
            let (range, other) = (size(arguments, 0), size(arguments, 1));
            let mut cost = scan(range * 2, PER_CHARACTER);
            if function == "containsCIDR" {
                cost += scan(range, PER_CHARACTER) + 1;
            }
            if overload.ends_with("_string") {
                cost += scan(other, PER_CHARACTER);
            }
            cost
        }
        "validate" => match arguments {
            [Value::Opaque(Opaque::Format(format)), text] => {
                let text = ((1.0 + text.size() as f64) * PER_CHARACTER).ceil() as u64;
                text * scan(format.length, PER_PATTERN_CHARACTER)
            }
            _ => return None,
        },
        "_==_" if matches!(arguments.first(), Some(Value::Opaque(_))) => 1,
        _ => return None,
    })
}

/// The cost of looking at all there is in a value.
fn traversal(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => (text.len() as f64 * PER_CHARACTER) as u64,
        Value::Bytes(bytes) => (bytes.len() as f64 * PER_CHARACTER) as u64,
        Value::List(list) => list
            .iter()
            .map(|item| item.map_or(1, |item| traversal(&item)))
            .sum(),
        Value::Map(map) => map
            .keys()
            .iter()
            .map(|key| {
                let value = map.get(key).and_then(Result::ok);
                traversal(key) + value.map_or(1, |value| traversal(&value))
            })
            .sum(),
        _ => 1,
    }
}

impl<'a> Run<'_, 'a> {
    /// Stops what would take much more time or memory than its cost tells before it is begun: the limit would
    /// stop it only once it is done.
    pub(super) fn afford(&self, call: &CallOp, arguments: &[Value<'a>]) -> Result<(), EvaluationError> {
        let left = self.limit.saturating_sub(self.cost);
        let needs = match (call.function.name, arguments) {
            ("_+_", [Value::List(one), Value::List(two)]) => {
                let length = (one.len() + two.len()) as u64;
                return if length > LONGEST_LIST {
                    Err(EvaluationError::CostLimit)
                } else {
                    Ok(())
                };
            }
            (name, [one, two]) if name.starts_with("sets.") => one.size().saturating_mul(two.size()),
            ("distinct", [list]) => list.size().saturating_mul(list.size()),
            ("matches" | "find" | "findAll", _) => pattern(arguments),
            _ => return Ok(()),
        };
        if needs > left {
            return Err(EvaluationError::CostLimit);
        }
        Ok(())
    }
}
