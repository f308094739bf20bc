//! Evaluation: one walk over a plan, which counts what it costs and stops at the limit.

mod attribute;
mod cost;
mod fold;

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::library::{self, Answer};
use crate::plan::{CallOp, Op, OrElse};
use crate::value::{Key, Map, Text, Value};
use crate::{EvaluationError, bindings::Bound};

/// The cost of making a list, a map, a message, as upstream counts them.
const LIST: u64 = 10;
const MAP: u64 = 30;
const MESSAGE: u64 = 40;

/// One evaluation.
pub(crate) struct Run<'p, 'a> {
    /// The variables, in the order of the environment.
    pub(crate) variables: &'p [Option<Bound<'a>>],
    pub(crate) names: &'p [SmolStr],
    pub(crate) slots: Vec<Slot<'p, 'a>>,
    pub(crate) cost: u64,
    pub(crate) limit: u64,
}

/// The place of a loop's variable.
#[derive(Clone)]
pub(crate) enum Slot<'p, 'a> {
    Empty,
    /// An accumulator that nobody read yet.
    Pending(&'p Op),
    Known(Answer<'a>),
}

impl<'p, 'a> Run<'p, 'a> {
    pub(crate) fn charge(&mut self, cost: u64) -> Result<(), EvaluationError> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit {
            return Err(EvaluationError::CostLimit);
        }
        Ok(())
    }

    /// Evaluates. Recursion is as deep as the tree is high, which the parser bounds.
    pub(crate) fn op(&mut self, op: &'p Op) -> Answer<'a> {
        match op {
            Op::Const(value) => Ok(value.clone()),
            Op::Attribute(attribute) => self.attribute(attribute),
            Op::And(terms) => self.logical(terms, false),
            Op::Or(terms) => self.logical(terms, true),
            Op::NotStrictlyFalse(operand) => self.not_strictly_false(operand),
            Op::Among(parts) => self.among(&parts.0, &parts.1),
            Op::Call(call) => self.call(call),
            Op::Pattern(parts) => self.pattern(&parts.0, &parts.1),
            Op::OrElse(parts) => self.or_else(parts.0, &parts.1),
            Op::Append(append) => self.append(append),
            Op::List(parts) => self.list(parts),
            Op::Map(parts) => self.map(parts),
            Op::Message(name, parts) => self.message(name, parts),
            Op::Fold(fold) => self.fold(fold),
        }
    }

    /// `&&` and `||`: a term that decides alone absorbs faults of the other.
    fn logical(&mut self, terms: &'p [Op; 2], decisive: bool) -> Answer<'a> {
        let mut fault = None;
        for term in terms {
            match self.op(term) {
                Ok(Value::Bool(value)) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => fault = fault.or_else(|| Some(library::no_such_overload())),
                Err(EvaluationError::CostLimit) => return Err(EvaluationError::CostLimit),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn not_strictly_false(&mut self, operand: &'p Op) -> Answer<'a> {
        let value = self.op(operand);
        self.charge(1)?;
        match value {
            Ok(Value::Bool(value)) => Ok(Value::Bool(value)),
            Err(EvaluationError::CostLimit) => Err(EvaluationError::CostLimit),
            _ => Ok(Value::Bool(true)),
        }
    }

    fn among(&mut self, operand: &'p Op, list: &Value<'static>) -> Answer<'a> {
        let value = self.op(operand)?;
        let list: Value<'a> = list.clone();
        match list {
            Value::List(list) => list.contains(&value).map(Value::Bool),
            _ => Err(library::no_such_overload()),
        }
    }

    /// The arguments of a call; `stops`: up to the first fault. The call is paid for even if one has a fault, if
    /// all were looked at, as upstream does it.
    fn arguments(&mut self, call: &'p CallOp, stops: bool) -> Result<Vec<Value<'a>>, EvaluationError> {
        let count = call.arguments.len();
        let mut arguments = Vec::with_capacity(count);
        let mut fault = None;
        for argument in &call.arguments {
            match self.op(argument) {
                Ok(value) => arguments.push(value),
                Err(EvaluationError::CostLimit) => return Err(EvaluationError::CostLimit),
                Err(error) => {
                    fault = fault.or(Some(error));
                    arguments.push(Value::Null);
                    if stops {
                        break;
                    }
                }
            }
        }
        let Some(error) = fault else {
            return Ok(arguments);
        };
        if arguments.len() == count {
            self.charge_call(call, &arguments, &Err(error.clone()))?;
        }
        Err(error)
    }

    fn call(&mut self, call: &'p CallOp) -> Answer<'a> {
        let arguments = self.arguments(call, call.arguments.len() > 2)?;
        self.afford(call, &arguments)?;
        let result = call.function.call(&call.overloads, &arguments);
        self.charge_call(call, &arguments, &result)?;
        result
    }

    fn pattern(&mut self, call: &'p CallOp, regex: &regex::Regex) -> Answer<'a> {
        let arguments = self.arguments(call, true)?;
        let result = library::regex::run(call.function.name, regex, &arguments);
        self.charge_call(call, &arguments, &result)?;
        result
    }

    fn charge_call(
        &mut self,
        call: &CallOp,
        arguments: &[Value<'a>],
        result: &Answer<'a>,
    ) -> Result<(), EvaluationError> {
        let overload = match call.overloads.as_slice() {
            [only] => only.id.as_str(),
            _ => "",
        };
        self.charge(cost::call(
            call.function.name,
            overload,
            arguments,
            result.as_ref().ok(),
        ))
    }

    fn or_else(&mut self, kind: OrElse, operands: &'p [Op; 2]) -> Answer<'a> {
        let [first, second] = operands;
        match self.op(first)? {
            Value::Optional(Some(value)) if kind == OrElse::Value => Ok((*value).clone()),
            Value::Optional(None) => self.op(second),
            other => Ok(other),
        }
    }

    fn list(&mut self, parts: &'p [(Op, bool)]) -> Answer<'a> {
        let values = self.elements(parts);
        self.charge(LIST)?;
        values.map(Value::list)
    }

    fn elements(&mut self, parts: &'p [(Op, bool)]) -> Result<Vec<Value<'a>>, EvaluationError> {
        let mut values = Vec::with_capacity(parts.len());
        for (part, is_optional) in parts {
            match (self.op(part)?, is_optional) {
                (value, false) => values.push(value),
                (Value::Optional(Some(value)), true) => values.push((*value).clone()),
                (Value::Optional(None), true) => {}
                (other, true) => {
                    let message =
                        format!("cannot initialize optional list element from non-optional value {other}");
                    return Err(EvaluationError::failed(message));
                }
            }
        }
        Ok(values)
    }

    /// What an entry is set to: `None` where it is left out.
    fn entry(
        name: &dyn std::fmt::Display,
        value: Value<'a>,
        is_optional: bool,
    ) -> Result<Option<Value<'a>>, EvaluationError> {
        match (value, is_optional) {
            (value, false) => Ok(Some(value)),
            (Value::Optional(value), true) => Ok(value.map(|value| (*value).clone())),
            (other, true) => Err(EvaluationError::failed(format!(
                "cannot initialize optional entry '{name}' from non-optional value {other}"
            ))),
        }
    }

    fn map(&mut self, parts: &'p [(Op, Op, bool)]) -> Answer<'a> {
        let map = self.entries(parts);
        self.charge(MAP)?;
        map.map(Value::Map)
    }

    /// The last of several entries with one key counts, as upstream has it.
    fn entries(&mut self, parts: &'p [(Op, Op, bool)]) -> Result<Map<'a>, EvaluationError> {
        let mut map = Map::Entries(Arc::default());
        for (key, value, is_optional) in parts {
            let key = self.op(key)?;
            let value = self.op(value)?;
            if let Some(value) = Self::entry(&key, value, *is_optional)? {
                map = map.put(&key, value)?;
            }
        }
        Ok(map)
    }

    fn message(&mut self, name: &SmolStr, parts: &'p [(SmolStr, Op, bool)]) -> Answer<'a> {
        let fields = self.message_fields(parts);
        self.charge(MESSAGE)?;
        Ok(Value::Map(Map::Message(name.clone(), Arc::new(fields?))))
    }

    fn message_fields(
        &mut self,
        parts: &'p [(SmolStr, Op, bool)],
    ) -> Result<BTreeMap<Key<'a>, Value<'a>>, EvaluationError> {
        let mut fields = BTreeMap::new();
        for (field, value, is_optional) in parts {
            let value = self.op(value)?;
            if let Some(value) = Self::entry(field, value, *is_optional)? {
                fields.insert(Key::String(Text::Shared(field.as_str().into())), value);
            }
        }
        Ok(fields)
    }
}
