//! Label selectors and field selectors: their text and JSON forms, and what they match.
//!
//! Wording follows upstream's `labels` and `fields` packages. Which fields of a kind can be selected is the
//! kind's knowledge, not this module's.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::field::{self, Path};
use crate::object::Meta;
use crate::value::ValueExt;
use crate::{label, name};

mod fields;
mod lexer;
mod parser;

pub use fields::{FieldSelector, FieldTerm};

/// Why a selector could not be read; the text is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `a in (x,y)`
    In,
    /// `a notin (x,y)`; also true where the key is absent
    NotIn,
    /// `a=x`
    Equals,
    /// `a==x`
    DoubleEquals,
    /// `a!=x`; also true where the key is absent
    NotEquals,
    /// `a`
    Exists,
    /// `!a`
    DoesNotExist,
    /// `a>1`
    GreaterThan,
    /// `a<1`
    LessThan,
}

/// One comparison of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: BTreeSet<String>,
}

impl Requirement {
    /// A checked requirement.
    ///
    /// # Errors
    /// Upstream's field errors in one text, when the key or a value is malformed or the number of values does
    /// not suit the operator.
    pub fn new(key: &str, operator: Operator, values: BTreeSet<String>) -> Result<Self, SelectorError> {
        let mut errors = Vec::new();
        let at = Path::new("values");
        if let Err(error) = checked_key(key, &Path::new("key")) {
            errors.push(error);
        }
        let all = || Value::from(values.iter().cloned().collect::<Vec<_>>());
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => errors.push(
                field::Error::invalid(
                    &at,
                    all(),
                    "for 'in', 'notin' operators, values set can't be empty",
                )
                .to_string(),
            ),
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => errors
                .push(
                    field::Error::invalid(&at, all(), "exact-match compatibility requires one single value")
                        .to_string(),
                ),
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => errors.push(
                field::Error::invalid(
                    &at,
                    all(),
                    "values set must be empty for exists and does not exist",
                )
                .to_string(),
            ),
            Operator::GreaterThan | Operator::LessThan => errors.extend(number_errors(&values, &at)),
            _ => {}
        }
        for (index, value) in values.iter().enumerate() {
            let why = name::label_value(value);
            if !why.is_empty() {
                let path = at.index(index).key(key);
                errors.push(field::Error::invalid(&path, value.as_str(), why.join("; ")).to_string());
            }
        }
        if errors.is_empty() {
            Ok(Self {
                key: key.to_owned(),
                operator,
                values,
            })
        } else {
            Err(SelectorError(aggregate(&errors)))
        }
    }

    /// The label's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it compares.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it compares with, sorted.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str)
    }

    fn matches(&self, value: Option<&str>) -> bool {
        let is_one = |value: &str| self.values.contains(value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(is_one),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(is_one),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.numbers(value).is_some_and(|(label, bound)| label > bound),
            Operator::LessThan => self.numbers(value).is_some_and(|(label, bound)| label < bound),
        }
    }

    fn numbers(&self, value: Option<&str>) -> Option<(i64, i64)> {
        Some((value?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

fn checked_key(key: &str, path: &Path) -> Result<(), String> {
    let why = name::qualified_name(key);
    if why.is_empty() {
        Ok(())
    } else {
        Err(field::Error::invalid(path, key, why.join("; ")).to_string())
    }
}

fn number_errors(values: &BTreeSet<String>, at: &Path) -> Vec<String> {
    let mut errors = Vec::new();
    if values.len() != 1 {
        let all = Value::from(values.iter().cloned().collect::<Vec<_>>());
        let why = "for 'Gt', 'Lt' operators, exactly one value is required";
        errors.push(field::Error::invalid(at, all, why).to_string());
    }
    for (index, value) in values.iter().enumerate() {
        if value.parse::<i64>().is_err() {
            let why = "for 'Gt', 'Lt' operators, the value must be an integer";
            errors.push(field::Error::invalid(&at.index(index), value.as_str(), why).to_string());
        }
    }
    errors
}

/// Go's `utilerrors.Aggregate`.
fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = || {
            self.values
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(",")
        };
        let key = &self.key;
        match self.operator {
            Operator::In => write!(f, "{key} in ({})", values()),
            Operator::NotIn => write!(f, "{key} notin ({})", values()),
            Operator::Equals => write!(f, "{key}={}", values()),
            Operator::DoubleEquals => write!(f, "{key}=={}", values()),
            Operator::NotEquals => write!(f, "{key}!={}", values()),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{}", values()),
            Operator::LessThan => write!(f, "{key}<{}", values()),
        }
    }
}

/// Which labels an object must have. Without requirements it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    matches_nothing: bool,
}

impl LabelSelector {
    /// Matches all objects.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Matches no object.
    pub fn nothing() -> Self {
        Self {
            requirements: Vec::new(),
            matches_nothing: true,
        }
    }

    /// Reads the text form: `a=b,c!=d,e in (x,y),!f,g`.
    ///
    /// # Errors
    /// Upstream's text, such as `unable to parse requirement: found '=', expected: identifier`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = parser::parse(text)?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self::of(requirements))
    }

    /// All of these requirements.
    pub fn of(requirements: Vec<Requirement>) -> Self {
        Self {
            requirements,
            matches_nothing: false,
        }
    }

    /// Reads a `LabelSelector` object (`matchLabels`, `matchExpressions`): absent (`null`) matches nothing,
    /// empty matches everything.
    ///
    /// # Errors
    /// When an operator, a key or a value is malformed.
    pub fn from_json(selector: &Value) -> Result<Self, SelectorError> {
        if selector.is_null() {
            return Ok(Self::nothing());
        }
        let mut requirements = equalities(selector.field("matchLabels"))?;
        for expression in selector.items("/matchExpressions") {
            let operator = match expression.text("/operator") {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(SelectorError(format!(
                        "{other:?} is not a valid label selector operator"
                    )));
                }
            };
            let values = expression.items("/values").iter().filter_map(Value::as_str);
            let values = values.map(str::to_owned).collect();
            requirements.push(Requirement::new(expression.text("/key"), operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self::of(requirements))
    }

    /// Reads a plain map of labels, as a Service's or ReplicationController's `spec.selector`: absent or empty
    /// matches nothing, as those kinds mean it.
    ///
    /// # Errors
    /// When a key or a value is malformed.
    pub fn from_map(labels: &Value) -> Result<Self, SelectorError> {
        let requirements = equalities(labels)?;
        if requirements.is_empty() {
            return Ok(Self::nothing());
        }
        Ok(Self::of(requirements))
    }

    /// Whether an object's labels match.
    pub fn matches(&self, meta: &Meta) -> bool {
        self.matches_labels(|key| meta.label(key))
    }

    /// Whether labels match that `label` finds by key.
    pub fn matches_labels<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.matches_nothing && self.requirements.iter().all(|r| r.matches(label(&r.key)))
    }

    /// Whether a JSON map of labels matches.
    pub fn matches_map(&self, labels: &Value) -> bool {
        self.matches_labels(|key| labels.get(key).and_then(Value::as_str))
    }

    /// Whether nothing is required.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.matches_nothing
    }

    /// Whether nothing can match.
    pub fn is_nothing(&self) -> bool {
        self.matches_nothing
    }

    /// What is required, sorted by key; empty for everything and for nothing.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }
}

fn equalities(labels: &Value) -> Result<Vec<Requirement>, SelectorError> {
    labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = value.as_str().unwrap_or_default().to_owned();
            Requirement::new(key, Operator::Equals, BTreeSet::from([value]))
        })
        .collect()
}

/// Upstream's canonical text; empty for everything and for nothing.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

/// Checks a `LabelSelector` object of a manifest, as upstream's `ValidateLabelSelector`. `null` is fine.
pub fn validate(selector: &Value, path: &Path) -> Vec<field::Error> {
    let mut errors = label::validate(selector.field("matchLabels"), &path.child("matchLabels"));
    for (index, expression) in selector.items("/matchExpressions").iter().enumerate() {
        let at = path.child("matchExpressions").index(index);
        let values = expression.items("/values");
        match expression.text("/operator") {
            "In" | "NotIn" if values.is_empty() => errors.push(field::Error::required(
                &at.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(field::Error::forbidden(
                &at.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(field::Error::invalid(
                &at.child("operator"),
                other,
                "not a valid selector operator",
            )),
        }
        errors.extend(label::validate_key(expression.text("/key"), &at.child("key")));
        for (index, value) in values.iter().enumerate() {
            let text = value.as_str().unwrap_or_default();
            let why = name::label_value(text).into_iter();
            errors.extend(why.map(|why| field::Error::invalid(&at.child("values").index(index), text, why)));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(selector: &str, labels: Value, expect: bool) {
        let selector = LabelSelector::parse(selector).unwrap();
        assert_eq!(selector.matches_map(&labels), expect, "{selector}");
    }

    #[test]
    fn matches_as_upstream_does() {
        let labels = json!({"a": "b", "n": "5", "e": ""});
        for selector in [
            "",
            "a=b",
            "a==b",
            "a!=c",
            "x!=y",
            "a in (b,c)",
            "x notin (b)",
            "a",
            "!x",
            "n>4",
            "n<6",
            "e=",
            "e==,a",
            "in",
            "a notin (c)",
            "e in (,)",
        ] {
            let has_in = selector == "in";
            check(selector, labels.clone(), !has_in);
        }
        for selector in [
            "a=c",
            "a!=b",
            "a in (c)",
            "a notin (b)",
            "!a",
            "x",
            "n>5",
            "n<5",
            "x>1",
            "a>1",
            "x=",
        ] {
            check(selector, labels.clone(), false);
        }
    }

    #[test]
    fn prints_the_canonical_form() {
        for (text, canonical) in [
            ("z , a", "a,z"),
            (" a = b ", "a=b"),
            ("x in (c,a,b)", "x in (a,b,c)"),
            ("x notin ( a )", "x notin (a)"),
            ("!x,y>1,z<2,w!=1,v==1", "v==1,w!=1,!x,y>1,z<2"),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn refuses_with_upstream_words() {
        for (text, expect) in [
            (
                "a===b",
                "unable to parse requirement: found '=', expected: identifier",
            ),
            ("a,", "found '', expected: identifier after ','"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(
                LabelSelector::parse(text).unwrap_err().to_string(),
                expect,
                "{text}"
            );
        }
        let bad_key = LabelSelector::parse("-a=b").unwrap_err().to_string();
        assert!(
            bad_key.starts_with(
                "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist"
            ),
            "{bad_key}"
        );
    }

    #[test]
    fn reads_the_json_form() {
        let selector = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["x", "y"]}, {"key": "d", "operator": "DoesNotExist"}]});
        let selector = LabelSelector::from_json(&selector).unwrap();
        assert_eq!(selector.to_string(), "a=b,c in (x,y),!d");
        assert!(LabelSelector::from_json(&Value::Null).unwrap().is_nothing());
        assert!(LabelSelector::from_json(&json!({})).unwrap().is_everything());
        assert!(LabelSelector::from_map(&json!({})).unwrap().is_nothing());
        let bad = json!({"matchExpressions": [{"key": "c", "operator": "Near"}]});
        assert_eq!(
            LabelSelector::from_json(&bad).unwrap_err().to_string(),
            "\"Near\" is not a valid label selector operator"
        );
    }

    #[test]
    fn validates_the_json_form_field_by_field() {
        let selector = json!({"matchExpressions": [{"key": "c", "operator": "In"},
            {"key": "c", "operator": "Exists", "values": ["a"]}, {"key": "c", "operator": "Near"}]});
        let errors = validate(&selector, &Path::new("spec.selector"));
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                "spec.selector.matchExpressions[2].operator: Invalid value: \"Near\": not a valid selector operator",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_prints_and_reads_the_same(
            text in "[a-c!=<>(), \\\\inot]{0,24}"
        ) {
            if let Ok(selector) = LabelSelector::parse(&text) {
                let again = LabelSelector::parse(&selector.to_string()).unwrap();
                prop_assert_eq!(again.to_string(), selector.to_string());
            }
            if let Ok(selector) = FieldSelector::parse(&text) {
                let again = FieldSelector::parse(&selector.to_string()).unwrap();
                prop_assert_eq!(again, selector);
            }
        }
    }
}
