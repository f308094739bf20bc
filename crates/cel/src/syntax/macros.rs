//! `has`, `all`, `exists`, `exists_one`, `map`, `filter` and their two-variable forms as comprehensions, node
//! for node as upstream expands them: costs are counted over these trees.

use smol_str::SmolStr;

use super::optional_macros;
use super::parse::{Parser, Step};
use super::tree::{Call, Comprehension, Expr, Id, List, Node, Select};
use crate::value::Value;

/// The accumulator of all macros but those that bind a name.
pub(crate) const ACCUMULATOR: &str = "@result";

/// A call without receiver: a macro or not.
pub(super) fn function(parser: &mut Parser, id: Id, name: &str, mut arguments: Vec<Expr>) -> Step {
    if name != "has" || arguments.len() != 1 {
        return Ok(parser.call(id, name, arguments));
    }
    let Some(argument) = arguments.pop() else {
        return Ok(parser.call(id, name, arguments));
    };
    Ok(match argument.node {
        Node::Select(select) => {
            let offset = parser.place(id);
            let id = parser.id(offset);
            let select = Select {
                is_test: true,
                ..*select
            };
            parser.node(id, Node::Select(Box::new(select)))
        }
        _ => parser.fault(argument.id, "invalid argument to has() macro"),
    })
}

/// A call on a receiver: a macro or not.
pub(super) fn method(parser: &mut Parser, id: Id, name: &str, target: Expr, arguments: Vec<Expr>) -> Step {
    let mut expand = Expand {
        offset: parser.place(id),
        parser,
    };
    let expanded = match (name, arguments.len()) {
        ("all" | "exists" | "exists_one", 2) => {
            let [variable, predicate] = take(arguments)?;
            expand.quantifier(name, target, [variable], predicate)
        }
        ("all" | "exists" | "exists_one" | "existsOne", 3) => {
            let [first, second, predicate] = take(arguments)?;
            expand.quantifier(name, target, [first, second], predicate)
        }
        ("map", 2) => {
            let [variable, result] = take(arguments)?;
            expand.collect(target, vec![variable], None, result)
        }
        ("map", 3) => {
            let [variable, filter, result] = take(arguments)?;
            expand.collect(target, vec![variable], Some(filter), result)
        }
        ("filter", 2) => {
            let [variable, filter] = take(arguments)?;
            expand.collect(target, vec![variable.clone()], Some(filter), variable)
        }
        ("transformList", 3) => {
            let [first, second, result] = take(arguments)?;
            expand.collect(target, vec![first, second], None, result)
        }
        ("transformList", 4) => {
            let [first, second, filter, result] = take(arguments)?;
            expand.collect(target, vec![first, second], Some(filter), result)
        }
        ("transformMap" | "transformMapEntry", 3) => {
            let [first, second, result] = take(arguments)?;
            expand.entries(name, target, [first, second], None, result)
        }
        ("transformMap" | "transformMapEntry", 4) => {
            let [first, second, filter, result] = take(arguments)?;
            expand.entries(name, target, [first, second], Some(filter), result)
        }
        ("optMap" | "optFlatMap", 2) => {
            let [variable, result] = take(arguments)?;
            optional_macros::opt_map(&mut expand, name, target, &variable, result)
        }
        ("bind", 3) if expand.parser.has_bind() && is_cel(&target) => {
            let [variable, value, result] = take(arguments)?;
            optional_macros::bind_name(&mut expand, &variable, value, result)
        }
        ("sortBy", 2) => {
            let [variable, key] = take(arguments)?;
            optional_macros::sort_by(&mut expand, target, variable, key)
        }
        _ => {
            let call = Call {
                function: SmolStr::new(name),
                target: Some(target),
                arguments,
            };
            return Ok(parser.node(id, Node::Call(Box::new(call))));
        }
    };
    Ok(expanded)
}

fn is_cel(target: &Expr) -> bool {
    matches!(&target.node, Node::Ident(name) if name == "cel")
}

/// The arguments of a macro, whose number was just looked at.
fn take<const N: usize>(arguments: Vec<Expr>) -> Step<[Expr; N]> {
    arguments.try_into().map_err(|_| super::parse::Reported)
}

/// Makes the nodes of one expansion; all of them stand where the macro does.
pub(super) struct Expand<'a> {
    pub(super) parser: &'a mut Parser,
    offset: usize,
}

impl Expand<'_> {
    pub(super) fn node(&mut self, node: Node) -> Expr {
        let id = self.parser.id(self.offset);
        self.parser.node(id, node)
    }

    pub(super) fn literal(&mut self, value: Value<'static>) -> Expr {
        self.node(Node::Literal(value))
    }

    pub(super) fn ident(&mut self, name: &str) -> Expr {
        self.node(Node::Ident(SmolStr::new(name)))
    }

    pub(super) fn call(&mut self, function: &str, arguments: Vec<Expr>) -> Expr {
        let id = self.parser.id(self.offset);
        self.parser.call(id, function, arguments)
    }

    pub(super) fn method(&mut self, function: &str, target: Expr, arguments: Vec<Expr>) -> Expr {
        self.node(Node::Call(Box::new(Call {
            function: SmolStr::new(function),
            target: Some(target),
            arguments,
        })))
    }

    pub(super) fn list(&mut self, elements: Vec<Expr>) -> Expr {
        let list = List {
            elements,
            optional: Vec::new(),
        };
        self.node(Node::List(list))
    }

    fn result(&mut self) -> Expr {
        self.ident(ACCUMULATOR)
    }

    /// A copy with numbers of its own.
    ///
    /// Chained macros that copy their receiver double the tree each time, so its nodes are counted.
    pub(super) fn copy(&mut self, expr: &Expr) -> Expr {
        if self.parser.is_full() {
            return self
                .parser
                .fault(expr.id, "expression is too large once its macros are expanded");
        }
        let mut copy = expr.clone();
        self.renumber(&mut copy);
        copy
    }

    fn renumber(&mut self, expr: &mut Expr) {
        let offset = self.parser.place(expr.id);
        expr.id = self.parser.id(offset);
        match &mut expr.node {
            Node::Literal(_) | Node::Ident(_) => {}
            Node::Select(select) => self.renumber(&mut select.operand),
            Node::Call(call) => {
                for part in call.target.iter_mut().chain(&mut call.arguments) {
                    self.renumber(part);
                }
            }
            Node::List(list) => list.elements.iter_mut().for_each(|part| self.renumber(part)),
            Node::Map(entries) => {
                for entry in entries {
                    self.renumber(&mut entry.key);
                    self.renumber(&mut entry.value);
                }
            }
            Node::Struct(_, fields) => {
                for field in fields {
                    let offset = self.parser.place(field.id);
                    field.id = self.parser.id(offset);
                    self.renumber(&mut field.value);
                }
            }
            Node::Comprehension(fold) => {
                let fold = &mut **fold;
                let parts = [
                    &mut fold.range,
                    &mut fold.initial,
                    &mut fold.condition,
                    &mut fold.step,
                    &mut fold.result,
                ];
                for part in parts {
                    self.renumber(part);
                }
            }
        }
    }

    /// The names of the loop's variables; a fault's node if they can't be.
    fn variables(&mut self, variables: &[Expr], unnamed: &str) -> Result<(SmolStr, Option<SmolStr>), Expr> {
        let mut names: Vec<SmolStr> = Vec::new();
        for variable in variables {
            let Node::Ident(name) = &variable.node else {
                return Err(self.parser.fault(variable.id, unnamed));
            };
            if names.contains(name) {
                let message = format!("duplicate variable name: {name}");
                return Err(self.parser.fault(variable.id, message));
            }
            names.push(name.clone());
        }
        for (variable, name) in variables.iter().zip(&names) {
            if name == ACCUMULATOR || name == "__result__" {
                let message = "iteration variable overwrites accumulator variable";
                return Err(self.parser.fault(variable.id, message));
            }
        }
        let mut names = names.into_iter();
        Ok((names.next().unwrap_or_default(), names.next()))
    }

    fn quantifier<const N: usize>(
        &mut self,
        name: &str,
        range: Expr,
        variables: [Expr; N],
        predicate: Expr,
    ) -> Expr {
        let (variable, second) = match self.variables(&variables, "argument must be a simple name") {
            Ok(names) => names,
            Err(fault) => return fault,
        };
        let (initial, condition, step, result) = match name {
            "all" => {
                let initial = self.literal(Value::Bool(true));
                let accumulated = self.result();
                let condition = self.call("@not_strictly_false", vec![accumulated]);
                let accumulated = self.result();
                let step = self.call("_&&_", vec![accumulated, predicate]);
                (initial, condition, step, self.result())
            }
            "exists" => {
                let initial = self.literal(Value::Bool(false));
                let accumulated = self.result();
                let not = self.call("!_", vec![accumulated]);
                let condition = self.call("@not_strictly_false", vec![not]);
                let accumulated = self.result();
                let step = self.call("_||_", vec![accumulated, predicate]);
                (initial, condition, step, self.result())
            }
            _ => {
                let initial = self.literal(Value::Int(0));
                let condition = self.literal(Value::Bool(true));
                let (accumulated, one) = (self.result(), self.literal(Value::Int(1)));
                let more = self.call("_+_", vec![accumulated, one]);
                let accumulated = self.result();
                let step = self.call("_?_:_", vec![predicate, more, accumulated]);
                let (accumulated, one) = (self.result(), self.literal(Value::Int(1)));
                let result = self.call("_==_", vec![accumulated, one]);
                (initial, condition, step, result)
            }
        };
        self.fold(Comprehension {
            range,
            variable,
            second,
            accumulator: SmolStr::new_static(ACCUMULATOR),
            initial,
            condition,
            step,
            result,
        })
    }

    pub(super) fn fold(&mut self, fold: Comprehension) -> Expr {
        self.node(Node::Comprehension(Box::new(fold)))
    }

    /// Makes a list of what the loop gives.
    pub(super) fn collect(
        &mut self,
        range: Expr,
        variables: Vec<Expr>,
        filter: Option<Expr>,
        element: Expr,
    ) -> Expr {
        let unnamed = if variables.len() == 1 {
            "argument is not an identifier"
        } else {
            "argument must be a simple name"
        };
        let (variable, second) = match self.variables(&variables, unnamed) {
            Ok(names) => names,
            Err(fault) => return fault,
        };
        let initial = self.list(Vec::new());
        let (accumulated, element) = (self.result(), self.list(vec![element]));
        let step = self.call("_+_", vec![accumulated, element]);
        self.gather(range, (variable, second), initial, filter, step)
    }

    /// Makes a map of what the loop gives.
    fn entries(
        &mut self,
        name: &str,
        range: Expr,
        variables: [Expr; 2],
        filter: Option<Expr>,
        entry: Expr,
    ) -> Expr {
        let (variable, second) = match self.variables(&variables, "argument must be a simple name") {
            Ok(names) => names,
            Err(fault) => return fault,
        };
        let initial = self.node(Node::Map(Vec::new()));
        let accumulated = self.result();
        let arguments = if name == "transformMap" {
            vec![accumulated, self.ident(&variable), entry]
        } else {
            vec![accumulated, entry]
        };
        let step = self.call("cel.@mapInsert", arguments);
        self.gather(range, (variable, second), initial, filter, step)
    }

    fn gather(
        &mut self,
        range: Expr,
        (variable, second): (SmolStr, Option<SmolStr>),
        initial: Expr,
        filter: Option<Expr>,
        step: Expr,
    ) -> Expr {
        let condition = self.literal(Value::Bool(true));
        let step = match filter {
            Some(filter) => {
                let unchanged = self.result();
                self.call("_?_:_", vec![filter, step, unchanged])
            }
            None => step,
        };
        let result = self.result();
        self.fold(Comprehension {
            range,
            variable,
            second,
            accumulator: SmolStr::new_static(ACCUMULATOR),
            initial,
            condition,
            step,
            result,
        })
    }
}
