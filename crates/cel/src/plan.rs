//! From a checked tree to what is evaluated: names become places, constants are folded, patterns compiled, as
//! upstream plans a program, so that the costs of an evaluation are upstream's.

use std::sync::Arc;

use regex::Regex;
use smol_str::SmolStr;

use crate::check::{Checked, Reference};
use crate::library::{self, Function, Overload};
use crate::syntax::tree::Call;
use crate::syntax::{Comprehension, Expr, Node};
use crate::typing::Type;
use crate::value::Value;

/// Something to evaluate.
#[derive(Debug)]
pub(crate) enum Op {
    Const(Value<'static>),
    Attribute(Box<Attribute>),
    And(Box<[Op; 2]>),
    Or(Box<[Op; 2]>),
    NotStrictlyFalse(Box<Op>),
    /// `x in […]` of constants, which costs nothing.
    Among(Box<(Op, Value<'static>)>),
    Call(Box<CallOp>),
    /// A call with a constant pattern.
    Pattern(Box<(CallOp, Regex)>),
    /// `or` and `orValue`: the second operand only if the first is absent.
    OrElse(Box<(OrElse, [Op; 2])>),
    /// Adds an element to the list, or entries to the map, that a loop carries along.
    Append(Box<Append>),
    List(Vec<(Op, bool)>),
    Map(Vec<(Op, Op, bool)>),
    Message(SmolStr, Vec<(SmolStr, Op, bool)>),
    Fold(Box<Fold>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OrElse {
    Optional,
    Value,
}

/// A value and the way from it: `self.spec['a'].b`.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) root: Root,
    pub(crate) steps: Vec<Step>,
    /// `has(…)`: whether the last step leads somewhere.
    pub(crate) is_test: bool,
}

#[derive(Debug)]
pub(crate) enum Root {
    /// A variable of the environment.
    Variable(usize),
    /// A variable of a loop.
    Local(usize),
    /// `condition ? a : b`.
    Conditional(Box<[Op; 3]>),
    Operand(Op),
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) key: StepKey,
    /// `.?a` and `[?a]`.
    pub(crate) is_optional: bool,
}

#[derive(Debug)]
pub(crate) enum StepKey {
    Const(Value<'static>),
    Computed(Op),
}

#[derive(Debug)]
pub(crate) struct CallOp {
    pub(crate) function: &'static Function,
    pub(crate) overloads: Vec<&'static Overload>,
    pub(crate) arguments: Vec<Op>,
}

#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) slot: usize,
    /// The element, or what `cel.@mapInsert` takes.
    pub(crate) arguments: Vec<Op>,
    pub(crate) is_list: bool,
}

/// A loop.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) range: Op,
    /// The accumulator's place; the loop's variables are at the next two.
    pub(crate) slot: usize,
    pub(crate) has_second: bool,
    pub(crate) initial: Op,
    pub(crate) condition: Op,
    pub(crate) step: Op,
    pub(crate) result: Op,
}

/// What is planned, and how many places loops need.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: Op,
    pub(crate) slots: usize,
}

/// Plans an expression. An error is a constant that can't be converted.
pub(crate) fn plan(checked: &Checked) -> Result<Plan, String> {
    let mut planner = Planner {
        checked,
        scopes: Vec::new(),
        depth: 0,
        slots: 0,
    };
    let root = planner.op(&checked.root)?;
    Ok(Plan {
        root,
        slots: planner.slots,
    })
}

struct Planner<'a> {
    checked: &'a Checked,
    scopes: Vec<(SmolStr, usize)>,
    depth: usize,
    slots: usize,
}

type Planned<T = Op> = Result<T, String>;

impl Planner<'_> {
    fn op(&mut self, expr: &Expr) -> Planned {
        match self.checked.reference(expr.id) {
            Some(Reference::Variable(place)) if !matches!(expr.node, Node::Call(_)) => {
                return Ok(attribute(Root::Variable(*place)));
            }
            Some(Reference::Type(kind)) if !matches!(expr.node, Node::Struct(..)) => {
                return Ok(Op::Const(Value::Type(kind.clone())));
            }
            _ => {}
        }
        match &expr.node {
            Node::Literal(value) => Ok(Op::Const(value.clone())),
            Node::Ident(name) => Ok(attribute(Root::Local(self.slot(name)))),
            Node::Select(select) => {
                let mut attribute = self.extensible(&select.operand)?;
                attribute.steps.push(Step {
                    key: StepKey::Const(Value::text(select.field.as_str())),
                    is_optional: false,
                });
                attribute.is_test = select.is_test;
                Ok(Op::Attribute(attribute))
            }
            Node::Call(call) => self.call(expr, call),
            Node::List(list) => {
                let mut parts = Vec::new();
                for (at, element) in list.elements.iter().enumerate() {
                    parts.push((self.op(element)?, list.optional.contains(&at)));
                }
                Ok(fold_list(parts))
            }
            Node::Map(entries) => {
                let mut parts = Vec::new();
                for entry in entries {
                    parts.push((self.op(&entry.key)?, self.op(&entry.value)?, entry.is_optional));
                }
                fold_map(parts)
            }
            Node::Struct(_, fields) => {
                let name = match self.checked.type_of(expr.id) {
                    Type::Object(name, _) => name.clone(),
                    _ => SmolStr::default(),
                };
                let mut parts = Vec::new();
                for field in fields {
                    parts.push((field.field.clone(), self.op(&field.value)?, field.is_optional));
                }
                Ok(Op::Message(name, parts))
            }
            Node::Comprehension(fold) => self.fold(fold),
        }
    }

    fn slot(&self, name: &str) -> usize {
        let found = self.scopes.iter().rev().find(|(known, _)| known == name);
        found.map_or(usize::MAX, |(_, slot)| *slot)
    }

    /// An attribute that takes more steps: what the operand is, or what leads on from its value.
    fn extensible(&mut self, operand: &Expr) -> Planned<Box<Attribute>> {
        Ok(match self.op(operand)? {
            Op::Attribute(attribute) if !attribute.is_test => attribute,
            other => Box::new(Attribute {
                root: Root::Operand(other),
                steps: Vec::new(),
                is_test: false,
            }),
        })
    }

    fn call(&mut self, expr: &Expr, call: &Call) -> Planned {
        let Some(Reference::Call {
            function,
            overloads,
            is_namespaced,
        }) = self.checked.reference(expr.id)
        else {
            return Err(format!("no such overload: {}", call.function));
        };
        let target = call.target.as_ref().filter(|_| !is_namespaced);
        if let Some(append) = self.append(function.name, call)? {
            return Ok(append);
        }
        if matches!(function.name, "_[_]" | "_?._" | "_[?_]") {
            return self.index(function.name, call);
        }
        let mut arguments = Vec::new();
        for part in target.into_iter().chain(&call.arguments) {
            arguments.push(self.op(part)?);
        }
        self.planned_call(function, overloads, arguments)
    }

    fn planned_call(
        &mut self,
        function: &'static Function,
        overloads: &[&'static Overload],
        arguments: Vec<Op>,
    ) -> Planned {
        let first_is = |id: &str| matches!(overloads, [only] if only.id == id);
        if let Some(format) = library::format::of_function(function.name).filter(|_| arguments.is_empty()) {
            let value = Value::Opaque(crate::value::Opaque::Format(format));
            // A call without arguments costs one; a conversion that changes nothing stands for it.
            return Ok(attribute(Root::Operand(Op::Const(value))));
        }
        let arguments = match two(arguments) {
            Ok([one, two]) => match function.name {
                "_&&_" => return Ok(Op::And(Box::new([one, two]))),
                "_||_" => return Ok(Op::Or(Box::new([one, two]))),
                "or" if first_is("optional_or_optional") => {
                    return Ok(Op::OrElse(Box::new((OrElse::Optional, [one, two]))));
                }
                "orValue" => return Ok(Op::OrElse(Box::new((OrElse::Value, [one, two])))),
                "@in" if first_is("in_list") => match two {
                    Op::Const(list @ Value::List(_)) if is_set(&list) => {
                        return Ok(Op::Among(Box::new((one, list))));
                    }
                    two => vec![one, two],
                },
                _ => vec![one, two],
            },
            Err(arguments) => arguments,
        };
        if function.name == "_?:_" || function.name == "_?_:_" {
            let parts: Result<[Op; 3], _> = arguments.try_into();
            return match parts {
                Ok(parts) => Ok(attribute(Root::Conditional(Box::new(parts)))),
                Err(_) => Err("no such overload".to_owned()),
            };
        }
        if let ("@not_strictly_false", 1) = (function.name, arguments.len()) {
            let only = arguments.into_iter().next();
            return Ok(Op::NotStrictlyFalse(Box::new(
                only.unwrap_or(Op::Const(Value::Null)),
            )));
        }
        if let ([Op::Const(argument)], true) = (arguments.as_slice(), library::is_conversion(function.name)) {
            let converted = function.call(overloads, std::slice::from_ref(argument));
            return converted.map(Op::Const).map_err(|error| error.to_string());
        }
        let call = CallOp {
            function,
            overloads: overloads.to_vec(),
            arguments,
        };
        if let (true, Some(Op::Const(Value::String(pattern)))) = (
            library::regex::takes_pattern(function.name),
            call.arguments.get(1),
        ) {
            let regex = library::regex::compile(pattern)?;
            return Ok(Op::Pattern(Box::new((call, regex))));
        }
        Ok(Op::Call(Box::new(call)))
    }

    fn index(&mut self, function: &str, call: &Call) -> Planned {
        let [operand, index] = call.arguments.as_slice() else {
            return Err("no such overload".to_owned());
        };
        let mut attribute = self.extensible(operand)?;
        let key = match self.op(index)? {
            Op::Const(value) => StepKey::Const(value),
            computed => StepKey::Computed(computed),
        };
        attribute.steps.push(Step {
            key,
            is_optional: function != "_[_]",
        });
        Ok(Op::Attribute(attribute))
    }

    /// `@result + [x]` and `cel.@mapInsert(@result, …)`, which only macros make.
    fn append(&mut self, function: &str, call: &Call) -> Planned<Option<Op>> {
        let Some((Node::Ident(name), rest)) = call
            .arguments
            .split_first()
            .map(|(first, rest)| (&first.node, rest))
        else {
            return Ok(None);
        };
        if !name.starts_with('@') {
            return Ok(None);
        }
        let (parts, is_list): (Vec<&Expr>, bool) = match (function, rest) {
            ("_+_", [only]) => match &only.node {
                Node::List(list) if list.optional.is_empty() => (list.elements.iter().collect(), true),
                _ => return Ok(None),
            },
            ("cel.@mapInsert", rest) => (rest.iter().collect(), false),
            _ => return Ok(None),
        };
        let slot = self.slot(name);
        let mut arguments = Vec::new();
        for part in parts {
            arguments.push(self.op(part)?);
        }
        Ok(Some(Op::Append(Box::new(Append {
            slot,
            arguments,
            is_list,
        }))))
    }

    fn fold(&mut self, fold: &Comprehension) -> Planned {
        let range = self.op(&fold.range)?;
        let slot = self.depth;
        self.depth += 3;
        self.slots = self.slots.max(self.depth);
        // Evaluated when first read, within the loop, so its own loops need places after this one's.
        let initial = self.op(&fold.initial)?;
        let outer = self.scopes.len();
        self.scopes.push((fold.accumulator.clone(), slot));
        self.scopes.push((fold.variable.clone(), slot + 1));
        self.scopes
            .extend(fold.second.clone().map(|name| (name, slot + 2)));
        let condition = self.op(&fold.condition)?;
        let step = self.op(&fold.step)?;
        self.scopes.truncate(outer + 1);
        let result = self.op(&fold.result)?;
        self.scopes.truncate(outer);
        self.depth = slot;
        Ok(Op::Fold(Box::new(Fold {
            range,
            slot,
            has_second: fold.second.is_some(),
            initial,
            condition,
            step,
            result,
        })))
    }
}

fn attribute(root: Root) -> Op {
    Op::Attribute(Box::new(Attribute {
        root,
        steps: Vec::new(),
        is_test: false,
    }))
}

fn two(arguments: Vec<Op>) -> Result<[Op; 2], Vec<Op>> {
    arguments.try_into()
}

/// Whether a list of constants can be looked through without cost.
fn is_set(list: &Value<'static>) -> bool {
    let Value::List(list) = list else { return false };
    list.iter().all(|element| {
        matches!(
            element,
            Ok(Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_))
        )
    })
}

fn fold_list(parts: Vec<(Op, bool)>) -> Op {
    let constants: Option<Vec<Value<'static>>> = parts
        .iter()
        .map(|part| match part {
            (Op::Const(value), false) => Some(value.clone()),
            _ => None,
        })
        .collect();
    match constants {
        Some(values) => Op::Const(Value::list(values)),
        None => Op::List(parts),
    }
}

fn fold_map(parts: Vec<(Op, Op, bool)>) -> Planned {
    let mut map = crate::value::Map::Entries(Arc::default());
    for part in &parts {
        let (Op::Const(key), Op::Const(value), false) = part else {
            return Ok(Op::Map(parts));
        };
        map = map.put(key, value.clone()).map_err(|error| error.to_string())?;
    }
    Ok(Op::Const(Value::Map(map)))
}
