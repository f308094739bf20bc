//! Semantic versions.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::{Answer, Row, fail, no_such_overload};
use crate::EvaluationError;
use crate::value::{Opaque, Value};

pub(super) const TABLE: &[Row] = &[
    (
        "semver",
        "string_to_semver",
        "(string) -> kubernetes.Semver",
        semver,
    ),
    (
        "semver",
        "string_bool_to_semver",
        "(string, bool) -> kubernetes.Semver",
        semver,
    ),
    ("isSemver", "is_semver_string", "(string) -> bool", is_semver),
    (
        "isSemver",
        "is_semver_string_bool",
        "(string, bool) -> bool",
        is_semver,
    ),
    (
        "isGreaterThan",
        "semver_is_greater_than",
        "kubernetes.Semver.(kubernetes.Semver) -> bool",
        is_greater,
    ),
    (
        "isLessThan",
        "semver_is_less_than",
        "kubernetes.Semver.(kubernetes.Semver) -> bool",
        is_less,
    ),
    (
        "compareTo",
        "semver_compare_to",
        "kubernetes.Semver.(kubernetes.Semver) -> int",
        compare,
    ),
    ("major", "semver_major", "kubernetes.Semver.() -> int", major),
    ("minor", "semver_minor", "kubernetes.Semver.() -> int", minor),
    ("patch", "semver_patch", "kubernetes.Semver.() -> int", patch),
];

/// A version; what is built into it (`+build`) has no part in its order.
#[derive(Debug)]
pub struct Semver {
    numbers: [u64; 3],
    before: Vec<String>,
    build: Vec<String>,
}

impl Semver {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let (rest, build) = split(rest, '+');
        let (patch, before) = split(rest, '-');
        let version = Self {
            numbers: [
                number("Major", major)?,
                number("Minor", minor)?,
                number("Patch", patch)?,
            ],
            before: before.map(owned).unwrap_or_default(),
            build: build.map(owned).unwrap_or_default(),
        };
        for part in &version.before {
            let is_number = part.bytes().all(|b| b.is_ascii_digit());
            if part.is_empty() {
                return Err("Prerelease is empty".to_owned());
            }
            if is_number && part.len() > 1 && part.starts_with('0') {
                let quoted = super::strings::quoted(part);
                return Err(format!(
                    "Numeric PreRelease version must not contain leading zeroes {quoted}"
                ));
            }
            if !is_identifier(part) {
                let quoted = super::strings::quoted(part);
                return Err(format!("Invalid character(s) found in prerelease {quoted}"));
            }
        }
        for part in &version.build {
            if part.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !is_identifier(part) {
                let quoted = super::strings::quoted(part);
                return Err(format!("Invalid character(s) found in build meta data {quoted}"));
            }
        }
        Ok(version)
    }

    /// Reads a version that lacks parts, starts with `v`, or has leading zeros.
    fn parse_loosely(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in &mut parts {
            if part.len() > 1 {
                let trimmed = part.trim_start_matches('0');
                *part = if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
                    trimmed.to_owned()
                } else {
                    format!("0{trimmed}")
                };
            }
        }
        if parts.len() < 3 {
            if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
                return Err("short version cannot contain PreRelease/Build meta data".to_owned());
            }
            parts.resize(3, "0".to_owned());
        }
        Self::parse(&parts.join("."))
    }

    /// Which of the two is older.
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        let numbers = self.numbers.cmp(&other.numbers);
        numbers.then_with(|| match (self.before.is_empty(), other.before.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.before.iter().zip(&other.before);
                let differs = pairs
                    .map(|(one, two)| identifiers(one, two))
                    .find(|order| order.is_ne());
                differs.unwrap_or_else(|| self.before.len().cmp(&other.before.len()))
            }
        })
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (sign, parts) in [('-', &self.before), ('+', &self.build)] {
            if !parts.is_empty() {
                write!(f, "{sign}{}", parts.join("."))?;
            }
        }
        Ok(())
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn owned(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

fn is_identifier(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn identifiers(one: &str, two: &str) -> Ordering {
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(one), number(two)) {
        (Some(one), Some(two)) => one.cmp(&two),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(two),
    }
}

fn number(what: &str, text: &str) -> Result<u64, String> {
    let quoted = super::strings::quoted(text);
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "Invalid character(s) found in {} number {quoted}",
            what.to_lowercase()
        ));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(format!("{what} number must not contain leading zeroes {quoted}"));
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing {quoted}: value out of range"))
}

fn read(arguments: &[Value<'_>]) -> Result<Result<Semver, String>, EvaluationError> {
    match arguments {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => Ok(Semver::parse(text)),
        [Value::String(text), Value::Bool(true)] => Ok(Semver::parse_loosely(text)),
        _ => Err(no_such_overload()),
    }
}

fn semver<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match read(arguments)? {
        Ok(version) => Ok(Value::Opaque(Opaque::Semver(Arc::new(version)))),
        Err(error) => fail(error),
    }
}

fn is_semver<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(read(arguments)?.is_ok()))
}

fn ordering(arguments: &[Value<'_>]) -> Result<Ordering, EvaluationError> {
    match arguments {
        [
            Value::Opaque(Opaque::Semver(one)),
            Value::Opaque(Opaque::Semver(two)),
        ] => Ok(one.cmp(two)),
        _ => Err(no_such_overload()),
    }
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

fn part<'a>(arguments: &[Value<'a>], of: fn([u64; 3]) -> u64) -> Answer<'a> {
    match arguments {
        [Value::Opaque(Opaque::Semver(version))] => Ok(Value::Int(of(version.numbers).cast_signed())),
        _ => Err(no_such_overload()),
    }
}

fn major<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |[major, _, _]| major)
}

fn minor<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |[_, minor, _]| minor)
}

fn patch<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |[_, _, patch]| patch)
}
