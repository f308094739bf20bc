//! Value validations of a custom resource's schema: bounds, patterns, counts, and the schemas combined by
//! `allOf`, `anyOf`, `oneOf` and `not`.

use std::sync::{Arc, OnceLock};

use regex::Regex;
use serde_json::Value;
use warren_apimachinery::re2;
use warren_apimachinery::value::ValueExt;

use crate::model::Schema;

/// `minimum`, `maxLength`, `pattern` and the like; what is absent does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The least number allowed.
    pub minimum: Option<Bound>,
    /// The greatest number allowed.
    pub maximum: Option<Bound>,
    /// What numbers must be multiples of.
    pub multiple_of: Option<f64>,
    /// The least number of characters.
    pub min_length: Option<u64>,
    /// The greatest number of characters.
    pub max_length: Option<u64>,
    /// What text must match.
    pub pattern: Option<Pattern>,
    /// The least number of elements.
    pub min_items: Option<u64>,
    /// The greatest number of elements.
    pub max_items: Option<u64>,
    /// The least number of fields.
    pub min_properties: Option<u64>,
    /// The greatest number of fields.
    pub max_properties: Option<u64>,
    /// All of these must hold too.
    pub all_of: Box<[Arc<Schema>]>,
    /// One of these must hold too.
    pub any_of: Box<[Arc<Schema>]>,
    /// Exactly one of these must hold too.
    pub one_of: Box<[Arc<Schema>]>,
    /// This must not hold.
    pub not: Option<Arc<Schema>>,
}

/// A bound of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub value: f64,
    /// Whether the number itself is out of bounds.
    pub exclusive: bool,
}

/// A regular expression, compiled when first needed: most patterns of most CRDs never are.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

/// How much memory one compiled pattern may take.
const PATTERN_LIMIT: usize = 4 << 20;

impl Pattern {
    /// Takes the text of an expression.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            compiled: OnceLock::new(),
        }
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `value` matches anywhere. A pattern that does not compile matches nothing; CRDs with one are
    /// refused when they are made.
    pub fn is_match(&self, value: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| self.compile().ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(value))
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        regex::RegexBuilder::new(&re2::translated(&self.text))
            .size_limit(PATTERN_LIMIT)
            .build()
    }

    /// Why the expression is none.
    pub(crate) fn fault(&self) -> Option<String> {
        self.compile().err().map(|error| error.to_string())
    }
}

impl Rules {
    /// The scalar rules of a JSON schema; `None` when there are none. Combined schemas are put in by the
    /// caller.
    pub(crate) fn of(raw: &Value) -> Self {
        let bound = |key: &str, exclusive: &str| {
            raw.field(key).as_f64().map(|value| Bound {
                value,
                exclusive: raw.field(exclusive).as_bool().unwrap_or_default(),
            })
        };
        let count = |key: &str| raw.field(key).as_u64();
        Self {
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            multiple_of: raw.field("multipleOf").as_f64(),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            pattern: raw
                .field("pattern")
                .as_str()
                .filter(|p| !p.is_empty())
                .map(Pattern::new),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            ..Self::default()
        }
    }

    /// Whether nothing is restricted.
    pub(crate) fn is_empty(&self) -> bool {
        let has_scalar = self.minimum.is_some()
            || self.maximum.is_some()
            || self.multiple_of.is_some()
            || self.pattern.is_some();
        let counts = [
            self.min_length,
            self.max_length,
            self.min_items,
            self.max_items,
            self.min_properties,
            self.max_properties,
        ];
        let has_combined = self.not.is_some()
            || [&self.all_of, &self.any_of, &self.one_of]
                .iter()
                .any(|all| !all.is_empty());
        !has_scalar && !has_combined && counts.iter().all(Option::is_none)
    }
}
