//! What is said of a rule that does not hold.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_cel::{Bindings, EvaluationError};

use super::compile::Compiled;
use super::tree::{Node, Rule};

/// The longest message that an expression may give.
const LONGEST: usize = 5 * 1024;

/// What a rule is called: its message, else its expression.
pub(super) fn name(rule: &Rule) -> &str {
    match rule.raw.text("/message") {
        "" => rule.raw.text("/rule").trim(),
        message => message.trim(),
    }
}

/// The message of a rule that does not hold. Its expression is evaluated at the cost of what is `left`; one that
/// gives no message gives way to the fixed one.
///
/// # Errors
/// Why nothing more is to be evaluated.
pub(super) fn of(
    rule: &Rule,
    compiled: &Compiled,
    bindings: &Bindings<'_>,
    left: &mut u64,
) -> Result<String, String> {
    let fixed = || match rule.raw.text("/message") {
        "" => format!("failed rule: {}", name(rule)),
        message => message.trim().to_owned(),
    };
    let Some(Ok(program)) = &compiled.message else {
        return Ok(fixed());
    };
    let outcome = program.evaluate(bindings);
    if outcome.cost > *left {
        return Err(
            "messageExpression evaluation failed due to running out of cost budget, no further validation \
                    rules will be run"
                .to_owned(),
        );
    }
    *left -= outcome.cost;
    let text = match &outcome.value {
        Err(EvaluationError::CostLimit) => {
            return Err(format!(
                "no further validation rules will be run due to call cost exceeds limit for messageExpression: {:?}",
                rule.raw.text("/messageExpression")
            ));
        }
        Ok(value) => value.as_str().map(str::trim).unwrap_or_default(),
        Err(EvaluationError::Failed(_)) => "",
    };
    let is_fit = !text.is_empty() && text.len() <= LONGEST && !text.contains('\n');
    Ok(if is_fit { text.to_owned() } else { fixed() })
}

/// The error with the reason that the rule gives.
pub(super) fn error(node: &Node, rule: &Rule, (path, new): (&Path, &Value), detail: String) -> Error {
    let is_whole = matches!(node.kind.as_str(), "object" | "array");
    match rule.raw.text("/reason") {
        "FieldValueForbidden" => Error::forbidden(path, detail),
        "FieldValueRequired" => Error::required(path, detail),
        "FieldValueDuplicate" if is_whole => Error::duplicate(path, Value::Null).shown_as(""),
        "FieldValueDuplicate" => Error::duplicate(path, new.clone()),
        _ if is_whole => Error::invalid_whole(path, detail),
        _ => Error::invalid(path, new.clone(), detail),
    }
}
