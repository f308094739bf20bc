//! `matchConditions`, of policies and of webhooks.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_cel::{AdmissionVariables, Type, admission_environment, admission_program};

use super::compiled::Compilation;
use super::input::{Evaluation, Fault};

/// What all conditions together may cost.
const BUDGET: u64 = 2_500_000;

/// Conditions, compiled.
#[derive(Debug)]
pub(in crate::admission) struct Conditions {
    all: Vec<(String, Compilation)>,
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

    /// Evaluates them, all in any case: one that does not hold decides, whatever others lack.
    pub(in crate::admission) fn check(&self, evaluation: &Evaluation<'_>) -> Condition {
        let mut faults = Vec::new();
        let mut fails = false;
        let mut left = BUDGET;
        for (source, program) in &self.all {
            match evaluation.evaluate(source, program, &mut left) {
                Ok(value) => fails |= value.as_bool() == Some(false),
                Err(Fault::Expression(why)) => faults.push(why),
                Err(Fault::Budget) => return Condition::Unclear(Fault::Budget.to_string()),
            }
        }
        match faults.as_slice() {
            _ if fails => Condition::Fails,
            [] => Condition::Holds,
            faults => Condition::Unclear(super::super::asked::aggregate(faults)),
        }
    }
}
