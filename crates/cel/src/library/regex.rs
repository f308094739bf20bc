//! Regular expressions, in RE2's syntax. Bounded in the memory of what they compile to; matching takes time
//! linear in the text.

use regex::{Regex, RegexBuilder};
use warren_apimachinery::{re2, regexp};

use super::{Answer, Row, fail, no_such_overload};
use crate::value::Value;

/// How much memory one compiled expression may take.
const LIMIT: usize = 1 << 20;

pub(super) const TABLE: &[Row] = &[
    ("matches", "matches", "(string, string) -> bool", matches),
    ("matches", "matches_string", "string.(string) -> bool", matches),
    ("find", "string_find_string", "string.(string) -> string", find),
    (
        "findAll",
        "string_find_all_string",
        "string.(string) -> list(string)",
        find_all,
    ),
    (
        "findAll",
        "string_find_all_string_int",
        "string.(string, int) -> list(string)",
        find_all,
    ),
];

/// Compiles an expression.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if let Some(fault) = regexp::fault(pattern) {
        return Err(fault);
    }
    RegexBuilder::new(&re2::translated(pattern))
        .size_limit(LIMIT)
        .build()
        .map_err(|error| format!("error parsing regexp: {error}"))
}

/// Whether the second argument of a function is an expression.
pub(crate) fn takes_pattern(function: &str) -> bool {
    matches!(function, "matches" | "find" | "findAll")
}

/// Calls one of the functions with an expression that is compiled already.
pub(crate) fn run<'a>(function: &str, regex: &Regex, arguments: &[Value<'a>]) -> Answer<'a> {
    let Some(Value::String(text)) = arguments.first() else {
        return Err(no_such_overload());
    };
    match function {
        "matches" => Ok(Value::Bool(regex.is_match(text))),
        "find" => Ok(Value::text(regex.find(text).map_or("", |found| found.as_str()))),
        _ => {
            let most = match arguments.get(2) {
                Some(Value::Int(most)) => usize::try_from(*most).unwrap_or(usize::MAX),
                Some(_) => return Err(no_such_overload()),
                None => usize::MAX,
            };
            let found = regex.find_iter(text).take(most);
            Ok(Value::list(
                found.map(|found| Value::text(found.as_str())).collect(),
            ))
        }
    }
}

fn with_pattern<'a>(function: &str, arguments: &[Value<'a>]) -> Answer<'a> {
    let Some(Value::String(pattern)) = arguments.get(1) else {
        return Err(no_such_overload());
    };
    match compile(pattern) {
        Ok(regex) => run(function, &regex, arguments),
        Err(error) if function == "matches" => fail(error),
        Err(error) => fail(format!("Illegal regex: {error}")),
    }
}

fn matches<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    with_pattern("matches", arguments)
}

fn find<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    with_pattern("find", arguments)
}

fn find_all<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    with_pattern("findAll", arguments)
}
