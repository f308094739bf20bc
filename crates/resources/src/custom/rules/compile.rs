//! One rule: its expression and the expression of its message.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_cel::{CompileError, Declared, Environment, Expression, Program, Type};

/// What messages call the type of `self`. Upstream numbers it anew each time.
const SELF_TYPE: &str = "selfType1";

/// What the expressions of one schema may refer to.
pub(crate) struct Expressions {
    plain: Environment,
    optional: Environment,
}

/// A rule, compiled; the reasons why not are upstream's words for whoever makes the definition.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) program: Result<Program, String>,
    /// The most that one evaluation may cost.
    pub(crate) cost: u64,
    /// It compares with what was before.
    pub(crate) uses_old: bool,
    pub(crate) message: Option<Result<Program, String>>,
    pub(crate) message_cost: u64,
}

impl Expressions {
    /// Of a schema.
    pub(crate) fn of(declared: &Arc<Declared>) -> Self {
        let base = Environment::new().declared("self", SELF_TYPE, declared);
        Self {
            plain: base.clone().declared("oldSelf", SELF_TYPE, declared),
            optional: base.declared_optional("oldSelf", SELF_TYPE, declared),
        }
    }

    /// Compiles `{rule, messageExpression, optionalOldSelf}`.
    pub(crate) fn compile(&self, rule: &Value) -> Compiled {
        let is_optional = rule.field("optionalOldSelf").as_bool() == Some(true);
        let environment = if is_optional { &self.optional } else { &self.plain };
        let mut compiled = Compiled {
            program: Err(String::new()),
            cost: 0,
            uses_old: false,
            message: None,
            message_cost: 0,
        };
        let expression = match Expression::check(environment, rule.text("/rule")) {
            Ok(expression) => expression,
            Err(error) => {
                compiled.program = Err(format!("compilation failed: {error}"));
                return compiled;
            }
        };
        if *expression.result_type() != Type::Bool {
            compiled.program = Err("cel expression must evaluate to a bool".to_owned());
            return compiled;
        }
        compiled.uses_old = expression.uses("oldSelf");
        compiled.program = expression
            .program()
            .map_err(|error| format!("program instantiation failed: {error}"));
        if compiled.program.is_err() {
            return compiled;
        }
        compiled.cost = expression.estimate().max;
        let source = rule.text("/messageExpression");
        if !source.is_empty() {
            let (message, cost) = message(environment, source);
            compiled.message = Some(message);
            compiled.message_cost = cost;
        }
        compiled
    }
}

fn message(environment: &Environment, source: &str) -> (Result<Program, String>, u64) {
    let expression = match Expression::check(environment, source) {
        Ok(expression) => expression,
        Err(CompileError::Invalid(error) | CompileError::Instantiation(error)) => {
            return (Err(format!("messageExpression compilation failed: {error}")), 0);
        }
    };
    if *expression.result_type() != Type::String {
        return (Err("messageExpression must evaluate to a string".to_owned()), 0);
    }
    let program = expression
        .program()
        .map_err(|error| format!("messageExpression instantiation failed: {error}"));
    (program, expression.estimate().max)
}
