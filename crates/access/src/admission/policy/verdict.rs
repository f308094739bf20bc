//! What a policy decides on a write with one parameter.

use serde_json::Value;
use warren_apimachinery::StatusReason;
use warren_cel::EvaluationError;

use super::compiled::{Annotation, Validation};
use super::conditions::Condition;
use super::input::{Evaluation, Input, failure};
use super::policies::Policy;
use crate::guard::Guard;

/// What all expressions of one evaluation may cost together.
pub(super) const BUDGET: u64 = 10_000_000;
pub(super) const EXHAUSTED: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";
/// The longest message that an expression may give.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// A validation that does not hold.
pub(super) struct Decision {
    pub(super) message: String,
    pub(super) reason: StatusReason,
}

/// What a policy decides.
#[derive(Default)]
pub(super) struct Verdict {
    /// One for each validation: `None` where it holds.
    pub(super) decisions: Vec<Option<Decision>>,
    /// What goes to the audit log; an error denies.
    pub(super) annotations: Vec<(String, Result<String, String>)>,
}

/// Evaluates a policy.
pub(super) fn of(policy: &Policy, input: &Input<'_>, parameter: Option<&Value>, guard: &Guard) -> Verdict {
    let compiled = &policy.compiled;
    let evaluation = Evaluation::new(input, parameter, guard, &compiled.variables);
    // An error denies, unless the policy's failures are ignored.
    let fault = |message: String| {
        (!policy.fails_open).then_some(Decision {
            message,
            reason: StatusReason::Invalid,
        })
    };
    match compiled.conditions.check(&evaluation) {
        Condition::Holds => {}
        Condition::Fails => return Verdict::default(),
        Condition::Unclear(why) => {
            return Verdict {
                decisions: vec![fault(why)],
                annotations: Vec::new(),
            };
        }
    }
    let mut left = BUDGET;
    let mut verdict = Verdict::default();
    for validation in &compiled.validations {
        let decision = match validate(validation, &evaluation, &mut left) {
            Ok(decision) => decision,
            Err(Fault::One(why)) => fault(why),
            Err(Fault::All(why)) => {
                verdict.decisions = vec![fault(why)];
                return verdict;
            }
        };
        verdict.decisions.push(decision);
    }
    for annotation in &compiled.annotations {
        match annotate(annotation, &evaluation) {
            Ok(Some(value)) => verdict.annotations.push((annotation.key.clone(), Ok(value))),
            Ok(None) => {}
            Err(why) if !policy.fails_open => verdict.annotations.push((annotation.key.clone(), Err(why))),
            Err(_) => {}
        }
    }
    verdict
}

enum Fault {
    /// Of one validation.
    One(String),
    /// The budget is spent.
    All(String),
}

fn validate(
    validation: &Validation,
    evaluation: &Evaluation<'_>,
    left: &mut u64,
) -> Result<Option<Decision>, Fault> {
    let program = match &validation.program {
        Ok(program) => program,
        Err(why) => return Err(Fault::One(format!("compilation error: {why}"))),
    };
    let outcome = evaluation.run(program, true);
    if outcome.cost > *left {
        return Err(Fault::All(EXHAUSTED.to_owned()));
    }
    *left -= outcome.cost;
    match outcome.value {
        Ok(value) if value.as_bool() == Some(true) => return Ok(None),
        Ok(_) => {}
        Err(EvaluationError::CostLimit) => {
            return Err(Fault::All(format!(
                "{} for expression: {}",
                EvaluationError::CostLimit,
                validation.expression
            )));
        }
        Err(error) => return Err(Fault::One(failure(&validation.expression, &error))),
    }
    Ok(Some(Decision {
        message: message(validation, evaluation, left),
        reason: StatusReason::parse(&validation.reason).unwrap_or(StatusReason::Invalid),
    }))
}

fn message(validation: &Validation, evaluation: &Evaluation<'_>, left: &mut u64) -> String {
    if let Some(Ok(program)) = &validation.message_program {
        let outcome = evaluation.run(program, false);
        *left = left.saturating_sub(outcome.cost);
        let text = outcome
            .value
            .as_ref()
            .ok()
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .trim();
        if !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n') {
            return text.to_owned();
        }
    }
    if validation.message.is_empty() {
        return format!("failed expression: {}", validation.expression);
    }
    validation.message.clone()
}

fn annotate(annotation: &Annotation, evaluation: &Evaluation<'_>) -> Result<Option<String>, String> {
    let program = annotation
        .program
        .as_ref()
        .map_err(|why| format!("compilation error: {why}"))?;
    let outcome = evaluation.run(program, true);
    let value = outcome
        .value
        .map_err(|error| failure(&annotation.expression, &error))?;
    let text = value.as_str().map(str::trim).unwrap_or_default();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
