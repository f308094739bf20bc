//! Loops.

use std::sync::Arc;

use super::{LIST, Run, Slot};
use crate::EvaluationError;
use crate::library::{self, Answer};
use crate::plan::{Append, Fold, Op};
use crate::value::{List, Map, Value};

impl<'p, 'a> Run<'p, 'a> {
    pub(super) fn fold(&mut self, fold: &'p Fold) -> Answer<'a> {
        let range = self.op(&fold.range)?;
        self.set(fold.slot, Slot::Pending(&fold.initial));
        match &range {
            Value::List(list) => self.over_list(fold, list)?,
            Value::Map(map) => self.over_map(fold, map)?,
            other => {
                let kind = go_type(other);
                return library::fail(format!("got '{kind}', expected iterable type"));
            }
        }
        let result = self.op(&fold.result);
        self.set(fold.slot, Slot::Empty);
        result
    }

    fn set(&mut self, slot: usize, value: Slot<'p, 'a>) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = value;
        }
    }

    fn over_list(&mut self, fold: &'p Fold, list: &List<'a>) -> Result<(), EvaluationError> {
        for (at, element) in list.iter().enumerate() {
            let (first, second) = if fold.has_second {
                let place = i64::try_from(at).unwrap_or(i64::MAX);
                (Ok(Value::Int(place)), Some(element))
            } else {
                (element, None)
            };
            if !self.round(fold, first, second)? {
                break;
            }
        }
        Ok(())
    }

    fn over_map(&mut self, fold: &'p Fold, map: &Map<'a>) -> Result<(), EvaluationError> {
        for key in map.keys() {
            let second = fold
                .has_second
                .then(|| map.get(&key).unwrap_or_else(|| Err(library::no_such_overload())));
            if !self.round(fold, Ok(key), second)? {
                break;
            }
        }
        Ok(())
    }

    /// One round; whether there is another.
    fn round(
        &mut self,
        fold: &'p Fold,
        first: Answer<'a>,
        second: Option<Answer<'a>>,
    ) -> Result<bool, EvaluationError> {
        self.set(fold.slot + 1, Slot::Known(first));
        if let Some(second) = second {
            self.set(fold.slot + 2, Slot::Known(second));
        }
        match self.op(&fold.condition) {
            Ok(Value::Bool(false)) => return Ok(false),
            Err(EvaluationError::CostLimit) => return Err(EvaluationError::CostLimit),
            _ => {}
        }
        let value = self.op(&fold.step);
        if matches!(value, Err(EvaluationError::CostLimit)) {
            return Err(EvaluationError::CostLimit);
        }
        self.set(fold.slot, Slot::Known(value));
        Ok(true)
    }

    /// The values of all operands, or the first fault and its place.
    fn each(&mut self, operands: &'p [Op]) -> Result<Vec<Value<'a>>, (usize, EvaluationError)> {
        let mut values = Vec::with_capacity(operands.len());
        for (at, operand) in operands.iter().enumerate() {
            values.push(self.op(operand).map_err(|error| (at, error))?);
        }
        Ok(values)
    }

    /// `@result + [x]` and the like. The accumulator is taken out of its place, so that it is not copied; the
    /// round that this ends puts the result back.
    pub(super) fn append(&mut self, append: &'p Append) -> Answer<'a> {
        let known = self.local(append.slot);
        self.charge(1)?;
        let mut fault = known.err();
        let arguments = if append.is_list {
            let elements = self.each(&append.arguments);
            if !append.arguments.iter().all(|op| matches!(op, Op::Const(_))) {
                self.charge(LIST)?;
            }
            elements
        } else {
            // A call of three ends at the first fault, and is free unless the last one has it.
            if let (Some(fault), [_, _]) = (&fault, append.arguments.as_slice()) {
                return Err(fault.clone());
            }
            self.each(&append.arguments)
        };
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err((at, error)) => {
                if append.is_list || at + 1 == append.arguments.len() {
                    self.charge(1)?;
                }
                return Err(fault.unwrap_or(error));
            }
        };
        self.charge(1)?;
        if let Some(fault) = fault.take() {
            return Err(fault);
        }
        let taken = self
            .slots
            .get_mut(append.slot)
            .map(|slot| std::mem::replace(slot, Slot::Empty));
        let Some(Slot::Known(Ok(accumulated))) = taken else {
            return Err(library::no_such_overload());
        };
        match (accumulated, arguments.as_slice()) {
            (Value::List(list), elements) if append.is_list => {
                let more = List::Items(Arc::new(elements.to_vec()));
                list.concat(&more).map(Value::List)
            }
            (Value::Map(map), [key, value]) => map.insert(key, value.clone()).map(Value::Map),
            (Value::Map(map), [Value::Map(more)]) => {
                let mut map = map;
                for key in more.keys() {
                    if let Some(value) = more.get(&key) {
                        map = map.insert(&key, value?)?;
                    }
                }
                Ok(Value::Map(map))
            }
            _ => Err(library::no_such_overload()),
        }
    }
}

/// What upstream's fault calls a value that no loop goes over: the name of its Go type.
fn go_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::Duration(_) => "types.Duration",
        Value::Timestamp(_) => "types.Timestamp",
        Value::List(_) => "traits.Lister",
        Value::Map(_) => "traits.Mapper",
        Value::Optional(_) => "*types.Optional",
        Value::Type(_) => "*types.Type",
        Value::Opaque(opaque) => opaque.go_type(),
    }
}
