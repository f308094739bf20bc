//! What a schema says of text and numbers, and of the values that it lists.

use std::cmp::Ordering;

use serde_json::{Number, Value};
use warren_apimachinery::field::Error;

use super::outcome::Outcome;
use super::{Walk, formats};
use crate::model::{Schema, Type};
use crate::rules::{Bound, Rules};

impl Walk<'_> {
    /// Text: upstream names the first fault only.
    pub(super) fn text(&self, schema: &Schema, text: &str, outcome: &mut Outcome) {
        if let Some(rules) = &schema.rules {
            self.text_rules(rules, text, outcome);
        }
        outcome.pass();
        let Some(format) = formats::checked(schema).filter(|format| formats::is_known(format)) else {
            return;
        };
        if !formats::is_valid(format, text) {
            let why = format!("{} in body must be of type {format}: {text:?}", self.path);
            outcome.add(Error::type_invalid(&self.at(), text, why));
        }
        outcome.pass();
    }

    fn text_rules(&self, rules: &Rules, text: &str, outcome: &mut Outcome) {
        let bounds = [rules.min_length, rules.max_length];
        if bounds.iter().any(Option::is_some) {
            let length = text.chars().count() as u64;
            if let Some(most) = rules.max_length.filter(|most| length > *most) {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                return outcome.add(Error::too_long(&self.at(), most));
            }
            if let Some(least) = rules.min_length.filter(|least| length < *least) {
                return self.refuse(outcome, text, &format!("should be at least {least} chars long"));
            }
        }
        if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            self.refuse(outcome, text, &format!("should match '{}'", pattern.text()));
        }
    }

    /// A number, whatever type the schema asks for.
    pub(super) fn number(&self, schema: &Schema, number: &Number, outcome: &mut Outcome) {
        outcome.pass();
        outcome.pass();
        self.fits(schema, number, "Checked", outcome);
        let Some(rules) = &schema.rules else {
            return;
        };
        if let Some(factor) = rules.multiple_of {
            self.multiple(schema, number, factor, outcome);
        }
        if let Some(bound) = &rules.minimum {
            self.bound(schema, number, (bound, Side::Least), outcome);
        }
        if let Some(bound) = &rules.maximum {
            self.bound(schema, number, (bound, Side::Most), outcome);
        }
    }

    /// Whether a number, or a bound of one, can be of the schema's type and format. Upstream does not say where.
    fn fits(&self, schema: &Schema, number: &Number, what: &str, outcome: &mut Outcome) -> bool {
        let format = formats::checked(schema);
        let (kind, fits) = match (schema.kind, format) {
            (Type::Integer, Some("int32")) => {
                ("integer", whole(number).is_some_and(|n| i32::try_from(n).is_ok()))
            }
            (Type::Integer, _) => ("integer", whole(number).is_some()),
            (Type::Number, Some("float")) => {
                ("number", number.as_f64().is_none_or(|n| n.abs() < BEYOND_FLOAT))
            }
            _ => return true,
        };
        if !fits {
            let format = format.map_or_else(
                || "(default format)".to_owned(),
                |format| format!("with format {format}"),
            );
            let why = format!("{what} value must be of type {kind} {format} in {}", self.path);
            outcome.add(Error::invalid(self.root, "", why));
        }
        fits
    }

    fn bound(&self, schema: &Schema, number: &Number, (bound, side): (&Bound, Side), outcome: &mut Outcome) {
        let (what, sign) = match side {
            Side::Least => ("Minimum boundary", -1),
            Side::Most => ("Maximum boundary", 1),
        };
        let limit = Number::from_f64(bound.value).unwrap_or_else(|| Number::from(0));
        let fits = self.fits(schema, &limit, what, outcome);
        let (order, shown) = match number.as_i64().filter(|_| fits) {
            Some(whole) => {
                let limit = go_int(bound.value);
                (whole.cmp(&limit), limit.to_string())
            }
            None => {
                let number = number.as_f64().unwrap_or_default();
                (
                    number.partial_cmp(&bound.value).unwrap_or(Ordering::Equal),
                    plain(bound.value),
                )
            }
        };
        let beyond = order as i8 * sign;
        if beyond > 0 || (beyond == 0 && bound.exclusive) {
            let or_equal = if bound.exclusive { "" } else { " or equal to" };
            let than = match side {
                Side::Least => "greater than",
                Side::Most => "less than",
            };
            self.refuse(
                outcome,
                number.clone(),
                &format!("should be {than}{or_equal} {shown}"),
            );
        }
    }

    fn multiple(&self, schema: &Schema, number: &Number, factor: f64, outcome: &mut Outcome) {
        let limit = Number::from_f64(factor).unwrap_or_else(|| Number::from(0));
        let fits = self.fits(schema, &limit, "MultipleOf", outcome);
        let whole_factor = go_int(factor);
        let (is_positive, is_multiple, shown) = match number.as_i64().filter(|_| fits) {
            Some(whole) => (
                whole_factor > 0,
                whole.checked_rem(whole_factor) == Some(0),
                whole_factor.to_string(),
            ),
            None => {
                let number = number.as_f64().unwrap_or_default();
                let times = if factor < 1.0 {
                    1.0 / factor * number
                } else {
                    number / factor
                };
                (factor > 0.0, is_whole(times), plain(factor))
            }
        };
        if !is_positive {
            let why = format!(
                "factor MultipleOf declared for {} must be positive: {shown}",
                self.path
            );
            let shown: Value = serde_json::from_str(&shown).unwrap_or_else(|_| factor.into());
            outcome.add(Error::invalid(&self.at(), shown, why));
        } else if !is_multiple {
            self.refuse(
                outcome,
                number.clone(),
                &format!("should be a multiple of {shown}"),
            );
        }
    }

    /// Whether the value is one of those listed, numbers converted as Go converts them.
    pub(super) fn listed(&self, schema: &Schema, value: &Value, outcome: &mut Outcome) {
        if schema.allowed.is_empty() || schema.allowed.iter().any(|allowed| is_same(value, allowed)) {
            return;
        }
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let supported: Vec<String> = schema.allowed.iter().map(text).collect();
        let supported: Vec<&str> = supported.iter().map(String::as_str).collect();
        outcome.add(Error::not_supported(&self.at(), value.clone(), &supported));
    }
}

/// What no longer rounds to the greatest number of 32 bits.
const BEYOND_FLOAT: f64 = 3.402_823_567_797_336_6e38;

#[derive(Clone, Copy)]
enum Side {
    Least,
    Most,
}

fn is_same(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        // Upstream passes over a null that is listed.
        (_, Value::Null) => false,
        (Value::Number(value), Value::Number(allowed)) if allowed.is_f64() => {
            value.as_f64() == allowed.as_f64()
        }
        (Value::Number(value), Value::Number(allowed)) => {
            let whole = value.as_i64().or_else(|| value.as_f64().map(go_int));
            whole == allowed.as_i64()
        }
        (value, allowed) => value == allowed,
    }
}

/// What Go makes of a float where it wants a whole number: the least one of what does not fit.
fn go_int(number: f64) -> i64 {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    if number.abs() < BEYOND {
        number as i64
    } else {
        i64::MIN
    }
}

/// The whole number that a number is; not of one with a fraction or beyond 64 bits.
fn whole(number: &Number) -> Option<i64> {
    crate::check::whole(number).filter(|_| number.as_f64().is_some_and(|number| number.fract() == 0.0))
}

/// Whether upstream takes a float for a whole number: it minds neither rounding nor what JavaScript can't count.
pub(super) fn is_whole(number: f64) -> bool {
    const MOST: f64 = 9_007_199_254_740_991.0;
    const NEAR: f64 = 1e-9;
    if !number.is_finite() || number.abs() > MOST {
        return false;
    }
    let distance = (number - number.trunc()).abs();
    distance == 0.0 || distance / (number.abs() + number.trunc().abs()) < NEAR
}

/// Go's `%v` of a number.
fn plain(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    number.to_string()
}
