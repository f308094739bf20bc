//! Expressions that are ready to be evaluated.

use std::fmt;

use smol_str::SmolStr;

use crate::bindings::Bindings;
use crate::check::{self, Checked};
use crate::environment::Environment;
use crate::estimate::{self, Estimate};
use crate::evaluate::{Run, Slot};
use crate::plan::{self, Plan};
use crate::syntax::{Expr, Node};
use crate::typing::Type;
use crate::value::Value;

/// The most that one evaluation may cost, as upstream.
pub const CALL_LIMIT: u64 = 1_000_000;

/// Why an expression does not compile: upstream's text, one fault after the other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It does not parse, or its types do not fit.
    #[error("{0}")]
    Invalid(String),
    /// A constant in it can't be converted.
    #[error("{0}")]
    Instantiation(String),
}

/// Why an evaluation has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// It cost more than the limit.
    #[error("operation cancelled: actual cost limit exceeded")]
    CostLimit,
    /// What upstream says, such as `no such key: a`.
    #[error("{0}")]
    Failed(String),
}

impl EvaluationError {
    /// A fault with upstream's text.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// What came of an evaluation.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// What it cost, whether it has a value or not.
    pub cost: u64,
    /// The value.
    pub value: Result<Value<'a>, EvaluationError>,
}

/// A compiled expression. Sharing it between threads is cheap; it holds nothing of any evaluation.
pub struct Program {
    plan: Plan,
    names: Vec<SmolStr>,
    uses: Vec<bool>,
    result: Type,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program of {}", self.result)
    }
}

/// An expression that was checked, from which costs are estimated and programs made.
#[derive(Debug)]
pub struct Expression<'e> {
    checked: Checked,
    environment: &'e Environment,
}

impl<'e> Expression<'e> {
    /// Parses and checks `source`.
    ///
    /// # Errors
    /// Upstream's texts.
    pub fn check(environment: &'e Environment, source: &str) -> Result<Self, CompileError> {
        let checked = check::check(environment, source).map_err(CompileError::Invalid)?;
        Ok(Self { checked, environment })
    }

    /// The type of its value.
    pub fn result_type(&self) -> &Type {
        self.checked.type_of(self.checked.root.id)
    }

    /// Whether it refers to a variable.
    pub fn uses(&self, name: &str) -> bool {
        self.checked.uses(self.environment, name)
    }

    /// Whether it selects a field of a variable by name: `variable.field`, `variable.?field`, `has(variable.field)`.
    pub fn selects(&self, variable: &str, field: &str) -> bool {
        let is_it = |expr: &Expr| matches!(&expr.node, Node::Ident(name) if name == variable);
        let mut found = false;
        self.checked.root.walk(&mut |expr| {
            found |= match &expr.node {
                Node::Select(select) => select.field == field && is_it(&select.operand),
                Node::Call(call) => match call.arguments.as_slice() {
                    [operand, name] if call.function == "_?._" => {
                        is_it(operand) && name.literal().and_then(Value::as_str) == Some(field)
                    }
                    _ => false,
                },
                _ => false,
            };
        });
        found
    }

    /// The least and the most that evaluating it may cost, by what the schemas of its variables allow.
    pub fn estimate(&self) -> Estimate {
        estimate::estimate(&self.checked, self.environment)
    }

    /// Makes it ready to be evaluated.
    ///
    /// # Errors
    /// A constant that can't be converted.
    pub fn program(&self) -> Result<Program, CompileError> {
        let plan = plan::plan(&self.checked).map_err(CompileError::Instantiation)?;
        let names: Vec<SmolStr> = self.environment.names().cloned().collect();
        Ok(Program {
            plan,
            uses: names.iter().map(|name| self.uses(name)).collect(),
            names,
            result: self.result_type().clone(),
        })
    }
}

impl Program {
    /// Compiles `source`.
    ///
    /// # Errors
    /// Upstream's texts.
    pub fn compile(environment: &Environment, source: &str) -> Result<Self, CompileError> {
        Expression::check(environment, source)?.program()
    }

    /// The type of its value.
    pub fn result_type(&self) -> &Type {
        &self.result
    }

    /// Whether it refers to a variable.
    pub fn uses(&self, name: &str) -> bool {
        let place = self.names.iter().position(|known| known == name);
        place
            .and_then(|place| self.uses.get(place))
            .copied()
            .unwrap_or_default()
    }

    /// Evaluates it, with the limit that upstream sets for one call.
    pub fn evaluate<'a>(&self, bindings: &Bindings<'a>) -> Outcome<'a> {
        self.evaluate_within(bindings, CALL_LIMIT)
    }

    /// Evaluates it at a cost of at most `limit`.
    pub fn evaluate_within<'a>(&self, bindings: &Bindings<'a>, limit: u64) -> Outcome<'a> {
        let bound = |name: &SmolStr| {
            let mut all = bindings.all.iter().rev();
            all.find(|(known, _)| known == name)
                .map(|(_, bound)| bound.clone())
        };
        let variables: Vec<_> = self.names.iter().map(bound).collect();
        let mut run = Run {
            variables: &variables,
            names: &self.names,
            slots: vec![Slot::Empty; self.plan.slots],
            cost: 0,
            limit,
        };
        let value = run.op(&self.plan.root);
        Outcome {
            cost: run.cost,
            value,
        }
    }
}
