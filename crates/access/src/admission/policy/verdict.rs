//! What a validating policy decides on a write with one parameter.

use serde_json::Value;
use warren_apimachinery::StatusReason;

use super::BUDGET;
use super::compiled::{Annotation, Compiled, Validation};
use super::conditions::Condition;
use super::input::{Evaluation, Fault, Input};
use super::policies::Policy;
use crate::guard::Guard;

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
    let activation = || Evaluation::new(input, parameter, guard, &compiled.variables);
    // An error denies, unless the policy's failures are ignored.
    let fault = |message: String| {
        (!policy.fails_open).then_some(Decision {
            message,
            reason: StatusReason::Invalid,
        })
    };
    let only = |why: String| Verdict {
        decisions: vec![fault(why)],
        annotations: Vec::new(),
    };
    match compiled.conditions.check(&activation()) {
        Condition::Holds => {}
        Condition::Fails => return Verdict::default(),
        Condition::Unclear(why) => return only(why),
    }
    let mut left = BUDGET;
    let found = match findings(compiled, &activation().with_namespace(), &mut left) {
        Ok(found) => found,
        Err(spent) => return only(spent.to_string()),
    };
    let without_authorizer = || activation().with_namespace().without_authorizer();
    let messages = messages(compiled, &without_authorizer(), &mut left);
    let decide = |(at, found): (usize, Result<bool, String>)| match (found, &messages) {
        (Err(why), _) => fault(why),
        (Ok(_), Err(spent)) => fault(format!("failed messageExpression: {spent}")),
        (Ok(true), Ok(_)) => None,
        (Ok(false), Ok(messages)) => {
            let validation = compiled.validations.get(at)?;
            Some(Decision {
                message: message(validation, messages.get(at).and_then(Option::as_deref)),
                reason: StatusReason::parse(&validation.reason).unwrap_or(StatusReason::Invalid),
            })
        }
    };
    let decisions = found.into_iter().enumerate().map(decide).collect();
    let mut verdict = Verdict {
        decisions,
        annotations: Vec::new(),
    };
    let (activation, mut left) = (without_authorizer(), BUDGET);
    for annotation in &compiled.annotations {
        let value = match annotate(annotation, &activation, &mut left) {
            Ok(None) => continue,
            Ok(Some(value)) => Ok(value),
            Err(Fault::Budget) => return only(Fault::Budget.to_string()),
            Err(Fault::Expression(_)) if policy.fails_open => continue,
            Err(Fault::Expression(why)) => Err(why),
        };
        verdict.annotations.push((annotation.key.clone(), value));
    }
    verdict
}

/// Whether each validation holds, or why it can't be said.
fn findings(
    compiled: &Compiled,
    evaluation: &Evaluation<'_>,
    left: &mut u64,
) -> Result<Vec<Result<bool, String>>, Fault> {
    let mut found = Vec::with_capacity(compiled.validations.len());
    for validation in &compiled.validations {
        found.push(
            match evaluation.evaluate(&validation.expression, &validation.program, left) {
                Ok(value) => Ok(value.as_bool() == Some(true)),
                Err(Fault::Expression(why)) => Err(why),
                Err(Fault::Budget) => return Err(Fault::Budget),
            },
        );
    }
    Ok(found)
}

/// What the message expressions say, those of validations that hold as well.
fn messages(
    compiled: &Compiled,
    evaluation: &Evaluation<'_>,
    left: &mut u64,
) -> Result<Vec<Option<String>>, Fault> {
    let mut said = Vec::with_capacity(compiled.validations.len());
    for validation in &compiled.validations {
        let Some(program) = &validation.message_program else {
            said.push(None);
            continue;
        };
        said.push(match evaluation.evaluate("", program, left) {
            Ok(value) => value.as_str().map(|text| text.trim().to_owned()),
            Err(Fault::Expression(_)) => None,
            Err(Fault::Budget) => return Err(Fault::Budget),
        });
    }
    Ok(said)
}

/// The message of a validation that does not hold; one that an expression gives is taken if it is a line.
fn message(validation: &Validation, said: Option<&str>) -> String {
    let fits = |text: &&str| !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains('\n');
    match said.filter(fits) {
        Some(text) => text.to_owned(),
        None if !validation.message.is_empty() => validation.message.clone(),
        None => format!("failed expression: {}", validation.expression.trim()),
    }
}

fn annotate(
    annotation: &Annotation,
    evaluation: &Evaluation<'_>,
    left: &mut u64,
) -> Result<Option<String>, Fault> {
    let value = evaluation.evaluate(&annotation.expression, &annotation.program, left)?;
    let text = value.as_str().map(str::trim).unwrap_or_default();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
