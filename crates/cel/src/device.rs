//! Selectors of devices: expressions over one `device`.

use std::sync::{Arc, LazyLock};

use crate::declared::{Declared, Kind};
use crate::environment::Environment;
use crate::library::Library;
use crate::program::{CompileError, Expression};
use crate::typing::Type;

/// The most that a selector may cost.
const MOST: u64 = 1_000_000;
/// The longest domain, the longest name below it, the longest value of an attribute, as the API bounds them.
const DOMAIN: u64 = 63;
const NAME: u64 = 32;
const VALUE: u64 = 64;
/// How many attributes and capacities a device can have.
const ATTRIBUTES: u64 = 32;

/// Why a selector is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// It does not compile, or is not true or false; upstream's words.
    Invalid(String),
    /// It compiles, and can't be made ready; upstream's words.
    Internal(String),
    /// It may cost too much.
    TooComplex,
}

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let by_domain = |value: Declared| {
        let map = |value: Declared, max_key| Declared {
            max_key,
            ..Declared::at_most(Kind::Map(Arc::new(value)), ATTRIBUTES)
        };
        Arc::new(map(map(value, NAME), DOMAIN))
    };
    let device = Declared::object(
        "kubernetes.DRADevice",
        [
            ("driver", Arc::new(Declared::at_most(Kind::String, DOMAIN))),
            (
                "allowMultipleAllocations",
                Arc::new(Declared::at_most(Kind::Bool, 1)),
            ),
            ("attributes", by_domain(Declared::at_most(Kind::Any, VALUE))),
            ("capacity", by_domain(Declared::new(Kind::Quantity))),
        ],
    );
    Environment::new()
        .declared("device", "kubernetes.DRADevice", &device)
        .library(Library::Bindings)
        .sizes_by_name()
});

/// Checks a selector, and gives the most that it may cost.
///
/// # Errors
/// Why it is none.
pub fn check_selector(source: &str) -> Result<u64, SelectorError> {
    let expression = Expression::check(&ENVIRONMENT, source)
        .map_err(|error| SelectorError::Invalid(format!("compilation failed: {error}")))?;
    let kind = expression.result_type();
    if !matches!(kind, Type::Bool | Type::Any) {
        return Err(SelectorError::Invalid(format!(
            "must evaluate to bool or the unknown type, not {}",
            kind.output_name()
        )));
    }
    expression.program().map_err(|error| match error {
        CompileError::Invalid(error) | CompileError::Instantiation(error) => {
            SelectorError::Internal(format!("program instantiation failed: {error}"))
        }
    })?;
    match expression.estimate().max {
        most if most > MOST => Err(SelectorError::TooComplex),
        most => Ok(most),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    /// Selectors with what kube-apiserver 1.36.2's own compiler says of them.
    #[test]
    fn selectors_have_the_answers_that_upstream_gives() {
        let mut wrong = String::new();
        for line in include_str!("../tests/recorded/selectors.jsonl").lines() {
            let case: Json = serde_json::from_str(line).unwrap();
            let most = case.get("most").and_then(Json::as_u64);
            let found = match check_selector(case["selector"].as_str().unwrap()) {
                Ok(most) => json!({"most": most}),
                Err(SelectorError::TooComplex) if most.is_some_and(|most| most > MOST) => {
                    json!({"most": most})
                }
                Err(error) => match error {
                    SelectorError::Invalid(error) | SelectorError::Internal(error) => json!({"error": error}),
                    SelectorError::TooComplex => json!({"error": "too complex"}),
                },
            };
            if (found.get("error"), found.get("most")) != (case.get("error"), case.get("most")) {
                wrong.push_str(&format!("{line}\n  is {found}\n"));
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}
