//! Names and the ways from them. A name costs one, and so does each step of a way.

use super::{Run, Slot};
use crate::EvaluationError;
use crate::library::{self, Answer};
use crate::plan::{Attribute, Op, Root, Step, StepKey};
use crate::value::Value;

impl<'p, 'a> Run<'p, 'a> {
    pub(super) fn attribute(&mut self, attribute: &'p Attribute) -> Answer<'a> {
        let value = self.resolve(attribute);
        let is_free = attribute.is_test || matches!(attribute.root, Root::Conditional(_));
        if !is_free {
            self.charge(1)?;
        }
        value
    }

    /// The value without the cost of the name itself.
    fn resolve(&mut self, attribute: &'p Attribute) -> Answer<'a> {
        let value = match &attribute.root {
            Root::Variable(place) => self.variable(*place)?,
            Root::Local(slot) => self.local(*slot)?,
            Root::Conditional(parts) => self.conditional(parts)?,
            Root::Operand(operand) => self.op(operand)?,
        };
        if attribute.steps.is_empty() {
            return Ok(value);
        }
        self.follow(value, attribute)
    }

    fn variable(&self, place: usize) -> Answer<'a> {
        match self.variables.get(place) {
            Some(Some(bound)) => bound.value(),
            _ => {
                let name = self
                    .names
                    .get(place)
                    .map(smol_str::SmolStr::as_str)
                    .unwrap_or_default();
                Err(EvaluationError::failed(format!("no such attribute(s): {name}")))
            }
        }
    }

    pub(super) fn local(&mut self, slot: usize) -> Answer<'a> {
        if let Some(Slot::Pending(initial)) = self.slots.get(slot) {
            let initial: &'p Op = initial;
            let value = self.op(initial);
            if let Some(place) = self.slots.get_mut(slot) {
                *place = Slot::Known(value);
            }
        }
        match self.slots.get(slot) {
            Some(Slot::Known(value)) => value.clone(),
            _ => Err(library::no_such_overload()),
        }
    }

    fn conditional(&mut self, parts: &'p [Op; 3]) -> Answer<'a> {
        let [condition, then, or_else] = parts;
        let branch = match self.op(condition)? {
            Value::Bool(true) => then,
            Value::Bool(false) => or_else,
            _ => return Err(library::no_such_overload()),
        };
        self.uncharged(branch)
    }

    /// A name that is part of something else does not cost by itself.
    fn uncharged(&mut self, op: &'p Op) -> Answer<'a> {
        match op {
            Op::Attribute(attribute) => self.resolve(attribute),
            op => self.op(op),
        }
    }

    fn follow(&mut self, value: Value<'a>, attribute: &'p Attribute) -> Answer<'a> {
        let absent = |is_test| {
            Ok(if is_test {
                Value::Bool(false)
            } else {
                Value::Optional(None)
            })
        };
        let (mut value, mut is_optional) = match value {
            Value::Optional(None) => return absent(attribute.is_test),
            Value::Optional(Some(inner)) => ((*inner).clone(), true),
            value => (value, false),
        };
        let last = attribute.steps.len() - 1;
        for (at, step) in attribute.steps.iter().enumerate() {
            let is_test = attribute.is_test && at == last;
            is_optional |= step.is_optional;
            let key = self.key(step)?;
            let found = find(&value, &key);
            let is_present = !matches!(found, Ok(None));
            if !is_optional || is_present {
                self.charge(1)?;
            }
            match found? {
                Some(_) if is_test => return Ok(Value::Bool(true)),
                Some(found) => value = found,
                None if is_test => return Ok(Value::Bool(false)),
                None if is_optional => return absent(attribute.is_test),
                None => return Err(missing(&value, &key)),
            }
        }
        Ok(if is_optional { Value::some(value) } else { value })
    }

    fn key(&mut self, step: &'p Step) -> Answer<'a> {
        match &step.key {
            StepKey::Const(value) => Ok(value.clone()),
            StepKey::Computed(op) => self.uncharged(op),
        }
    }
}

/// What a key leads to.
fn find<'a>(value: &Value<'a>, key: &Value<'a>) -> Result<Option<Value<'a>>, EvaluationError> {
    match value {
        Value::Map(map) => map.get(key).transpose(),
        Value::List(list) => {
            let place = match key {
                Value::Int(at) => usize::try_from(*at).ok(),
                Value::Uint(at) => usize::try_from(*at).ok(),
                Value::Double(at) if at.fract() == 0.0 && *at >= 0.0 => Some(*at as usize),
                Value::Double(_) => {
                    return Err(EvaluationError::failed(format!(
                        "unsupported index value {key} in list"
                    )));
                }
                other => {
                    let kind = other.type_of().runtime_name();
                    return Err(EvaluationError::failed(format!(
                        "unsupported index type '{kind}' in list"
                    )));
                }
            };
            place.and_then(|place| list.get(place)).transpose()
        }
        _ => Ok(None),
    }
}

fn missing(value: &Value<'_>, key: &Value<'_>) -> EvaluationError {
    let what = if matches!(value, Value::List(_)) {
        "index out of bounds"
    } else {
        "no such key"
    };
    EvaluationError::failed(format!("{what}: {key}"))
}
