//! `matchConditions`, of policies and of webhooks.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_cel::{AdmissionVariables, Program, Type, admission_environment, admission_program};

use super::input::{Evaluation, failure};

/// What all conditions together may cost.
const BUDGET: u64 = 2_500_000;

/// Conditions, compiled.
#[derive(Debug)]
pub(in crate::admission) struct Conditions {
    all: Vec<(String, Result<Program, String>)>,
}

/// What conditions say of a write.
pub(in crate::admission) enum Condition {
    /// All hold.
    Holds,
    /// One does not.
    Fails,
    /// None fails, and some could not be evaluated.
    Unclear(String),
}

impl Conditions {
    /// Compiles a list of `{name, expression}`.
    pub(in crate::admission) fn compile(conditions: &[Value], has: AdmissionVariables) -> Self {
        if conditions.is_empty() {
            return Self { all: Vec::new() };
        }
        let environment = admission_environment(has, None);
        let compile = |condition: &Value| {
            let source = condition.text("/expression");
            (
                source.to_owned(),
                admission_program(&environment, source, &[Type::Bool]),
            )
        };
        Self {
            all: conditions.iter().map(compile).collect(),
        }
    }

    pub(in crate::admission) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Evaluates them.
    pub(in crate::admission) fn check(&self, evaluation: &Evaluation<'_>) -> Condition {
        let mut faults = Vec::new();
        let mut left = BUDGET;
        for (source, program) in &self.all {
            let outcome = match program {
                Ok(program) => evaluation.run(program, true),
                Err(why) => {
                    faults.push(format!("compilation error: {why}"));
                    continue;
                }
            };
            if outcome.cost > left {
                return Condition::Unclear(super::verdict::EXHAUSTED.to_owned());
            }
            left -= outcome.cost;
            match outcome.value {
                Ok(value) if value.as_bool() == Some(true) => {}
                Ok(_) => return Condition::Fails,
                Err(error) => faults.push(failure(source, &error)),
            }
        }
        match faults.as_slice() {
            [] => Condition::Holds,
            faults => Condition::Unclear(super::super::asked::aggregate(faults)),
        }
    }
}
