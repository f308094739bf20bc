//! What an expression may cost, by its tree and by how large its schema lets values get. Upstream refuses
//! rules by these numbers, so they are counted exactly as it counts them.

mod calls;
mod range;

use std::collections::HashMap;

use smol_str::SmolStr;

use crate::check::{Checked, Reference};
use crate::declared::Kind;
use crate::environment::Environment;
use crate::syntax::tree::Call;
use crate::syntax::{Comprehension, Expr, Id, Node};
use crate::typing::Type;
use crate::value::Value;
pub use range::Estimate;
use range::Range;

/// The way from a variable to a value.
type Path = Vec<Step>;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(SmolStr),
    Items,
    Values,
    Keys,
    Indices,
}

/// The sizes of what is in a list or map.
#[derive(Clone, Copy, Debug)]
struct Entries {
    is_list: bool,
    key: Range,
    value: Range,
}

impl Entries {
    fn union(self, other: Self) -> Self {
        Self {
            is_list: self.is_list,
            key: self.key.union(other.key),
            value: self.value.union(other.value),
        }
    }
}

#[derive(Clone, Debug)]
struct Local {
    path: Path,
    size: Option<Range>,
    entries: Option<Entries>,
}

/// The estimate of a whole expression.
pub(crate) fn estimate(checked: &Checked, environment: &Environment) -> Estimate {
    let mut coster = Coster {
        checked,
        environment,
        paths: HashMap::new(),
        locals: HashMap::new(),
        sizes: HashMap::new(),
        entries: HashMap::new(),
    };
    let cost = coster.cost(&checked.root);
    Estimate {
        min: cost.min,
        max: cost.max,
    }
}

struct Coster<'a> {
    checked: &'a Checked,
    environment: &'a Environment,
    paths: HashMap<Id, Path>,
    locals: HashMap<SmolStr, Vec<Local>>,
    sizes: HashMap<Id, Range>,
    entries: HashMap<Id, Entries>,
}

impl Coster<'_> {
    fn cost(&mut self, expr: &Expr) -> Range {
        match &expr.node {
            Node::Literal(_) => Range::fixed(0),
            Node::Ident(name) => self.ident(expr.id, name),
            Node::Select(select) => {
                if let Some(name) = self.whole_name(expr) {
                    return self.ident(expr.id, &name);
                }
                let sum = self.cost(&select.operand);
                if select.is_test {
                    return sum;
                }
                let mut path = self.path(&select.operand);
                path.push(Step::Name(select.field.clone()));
                self.paths.insert(expr.id, path);
                let target = self.checked.type_of(select.operand.id);
                if matches!(
                    target,
                    Type::Map(_) | Type::Object(..) | Type::Opaque(_) | Type::Param(_)
                ) {
                    return sum.plus(Range::fixed(1));
                }
                sum
            }
            Node::Call(call) => self.call(expr, call),
            Node::List(list) => {
                let mut sum = Range::fixed(0);
                let mut sizes = Vec::new();
                for element in &list.elements {
                    sum = sum.plus(self.cost(element));
                    sizes.push(self.size_or_unknown(element));
                }
                let entries = Entries {
                    is_list: true,
                    key: Range::fixed(1),
                    value: Range::spanning(&sizes),
                };
                self.entries.insert(expr.id, entries);
                sum.plus(Range::fixed(10))
            }
            Node::Map(entries) => {
                let mut sum = Range::fixed(0);
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                for entry in entries {
                    sum = sum.plus(self.cost(&entry.key)).plus(self.cost(&entry.value));
                    keys.push(self.size_or_unknown(&entry.key));
                    values.push(self.size_or_unknown(&entry.value));
                }
                let entries = Entries {
                    is_list: false,
                    key: Range::spanning(&keys),
                    value: Range::spanning(&values),
                };
                self.entries.insert(expr.id, entries);
                sum.plus(Range::fixed(30))
            }
            Node::Struct(_, fields) => {
                let sum = fields
                    .iter()
                    .fold(Range::fixed(0), |sum, field| sum.plus(self.cost(&field.value)));
                sum.plus(Range::fixed(40))
            }
            Node::Comprehension(fold) if is_binding(fold) => self.binding(expr, fold),
            Node::Comprehension(fold) => self.fold(expr, fold),
        }
    }

    /// A dotted name that is one variable.
    fn whole_name(&self, expr: &Expr) -> Option<SmolStr> {
        match self.checked.reference(expr.id)? {
            Reference::Variable(place) => self.environment.names().nth(*place).cloned(),
            Reference::Type(kind) => Some(kind.runtime_name()),
            Reference::Call { .. } => None,
        }
    }

    fn ident(&mut self, id: Id, name: &SmolStr) -> Range {
        let path = match self.local(name) {
            Some(local) => local.path.clone(),
            None => vec![Step::Name(name.clone())],
        };
        self.paths.insert(id, path);
        Range::fixed(1)
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.get(name)?.last()
    }

    fn push(&mut self, name: &SmolStr, local: Local) {
        self.locals.entry(name.clone()).or_default().push(local);
    }

    fn pop(&mut self, name: &SmolStr) {
        if let Some(stack) = self.locals.get_mut(name) {
            stack.pop();
        }
    }

    fn path(&self, expr: &Expr) -> Path {
        if let Node::Ident(name) = &expr.node
            && let Some(local) = self.local(name)
        {
            return local.path.clone();
        }
        self.paths.get(&expr.id).cloned().unwrap_or_default()
    }

    /// The way to a value, unless it starts at what a loop carries along.
    fn rooted_path(&self, expr: &Expr) -> Path {
        let path = self.path(expr);
        let is_accumulator = matches!(path.first(), Some(Step::Name(name)) if name == "@result");
        if is_accumulator { Vec::new() } else { path }
    }

    fn size_or_unknown(&mut self, expr: &Expr) -> Range {
        self.size(expr).unwrap_or(Range::UNKNOWN)
    }

    fn size(&mut self, expr: &Expr) -> Option<Range> {
        if let Some(size) = self.sizes.get(&expr.id) {
            return Some(*size);
        }
        if let Some(size) = written_size(expr) {
            return Some(size);
        }
        if let Some(size) = self.declared_size(&self.path(expr)) {
            self.sizes.insert(expr.id, size);
            return Some(size);
        }
        if is_scalar(self.checked.type_of(expr.id)) {
            return Some(Range::fixed(1));
        }
        match &expr.node {
            Node::Ident(name) => self.local(name)?.size,
            _ => None,
        }
    }

    /// The size that the schema of a variable allows at the end of a way.
    fn declared_size(&self, path: &[Step]) -> Option<Range> {
        let (start, rest) = path.split_first()?;
        // Whatever starts a way that is no declared variable, upstream takes it for the one that is.
        let declared = match start {
            Step::Name(variable) => self.environment.variable_declared(variable),
            _ => None,
        };
        let mut at = &**declared.or_else(|| self.environment.root_declared())?;
        for step in rest {
            at = match (step, &at.kind) {
                (Step::Items | Step::Values, Kind::List { element, .. } | Kind::Map(element)) => element,
                (Step::Keys, Kind::Map(_)) => {
                    return Some(Range {
                        min: 0,
                        max: at.max_key,
                    });
                }
                (Step::Name(_), Kind::Map(element)) if matches!(element.kind, Kind::Any) => element,
                (Step::Name(name), Kind::Object(object)) => &object.fields.get(name)?.declared,
                _ => return None,
            };
        }
        Some(Range {
            min: 0,
            max: at.max_elements,
        })
    }

    fn set_size(&mut self, id: Id, size: Option<Range>) {
        if let Some(size) = size {
            self.sizes.insert(id, size);
        }
    }

    fn entries_of(&self, expr: &Expr) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&expr.id) {
            return Some(*entries);
        }
        match &expr.node {
            Node::Ident(name) => self.local(name)?.entries,
            _ => None,
        }
    }

    fn call(&mut self, expr: &Expr, call: &Call) -> Range {
        if call.function == "dyn"
            && let [argument] = call.arguments.as_slice()
        {
            let cost = self.cost(argument);
            let size = self.size(argument);
            self.set_size(expr.id, size);
            if let Some(entries) = self.entries_of(argument) {
                self.entries.insert(expr.id, entries);
            }
            return cost.plus(Range::fixed(1));
        }
        let costs: Vec<Range> = call
            .arguments
            .iter()
            .map(|argument| self.cost(argument))
            .collect();
        let overloads = self.checked.overloads(expr.id);
        let is_namespaced = matches!(
            self.checked.reference(expr.id),
            Some(Reference::Call {
                is_namespaced: true,
                ..
            })
        );
        let name = match self.checked.reference(expr.id) {
            Some(Reference::Call { function, .. }) => function.name,
            _ => return Range::fixed(0),
        };
        let target = call.target.as_ref().filter(|_| !is_namespaced);
        let before = target.map_or(Range::fixed(0), |target| self.cost(target));
        let mut whole: Option<Range> = None;
        let mut result: Option<Range> = None;
        for overload in overloads {
            let (cost, made) =
                self.overload_cost(expr, (name, &overload.id), target, &call.arguments, &costs);
            whole = Some(whole.map_or(cost, |whole| whole.union(cost)));
            if let Some(made) = made {
                result = Some(result.map_or(made, |known| known.union(made)));
            }
            let step = match overload.id.as_str() {
                "index_list" => Some(Step::Items),
                "index_map" => Some(Step::Values),
                _ => None,
            };
            if let (Some(step), Some(indexed)) = (step, call.arguments.first()) {
                result = self.entries_of(indexed).map(|entries| entries.value);
                let mut path = self.path(indexed);
                path.push(step);
                self.paths.insert(expr.id, path);
            }
            if result.is_none() {
                result = self.size(expr);
            }
        }
        self.set_size(expr.id, result);
        before.plus(whole.unwrap_or(Range::fixed(0)))
    }

    fn fold(&mut self, expr: &Expr, fold: &Comprehension) -> Range {
        let mut sum = self.cost(&fold.range).plus(self.cost(&fold.initial));
        self.push_value(&fold.accumulator, &fold.initial);
        let entries = self.entries_of(&fold.range);
        let is_list = match entries {
            Some(entries) => entries.is_list,
            None => matches!(self.checked.type_of(fold.range.id), Type::List(_)),
        };
        let (key_step, value_step) = if is_list {
            (Step::Indices, Step::Items)
        } else {
            (Step::Keys, Step::Values)
        };
        let key = (key_step, entries.map(|entries| entries.key));
        let value = (value_step, entries.map(|entries| entries.value));
        match &fold.second {
            Some(second) => {
                self.push_iterated(&fold.variable, &fold.range, key);
                self.push_iterated(second, &fold.range, value);
            }
            None => {
                let only = if is_list { value } else { key };
                self.push_iterated(&fold.variable, &fold.range, only);
            }
        }
        let each = self.cost(&fold.condition);
        let each = self.cost(&fold.step).plus(each);
        self.pop(&fold.variable);
        if let Some(second) = &fold.second {
            self.pop(second);
        }
        sum = sum.plus(self.cost(&fold.result));
        self.pop(&fold.accumulator);
        let rounds = self.size_or_unknown(&fold.range);
        sum = sum.plus(rounds.times(each));
        match &fold.initial.node {
            Node::Literal(_) => {
                let size = self.size(&fold.initial);
                self.set_size(expr.id, size);
            }
            Node::List(_) | Node::Map(_) => {
                self.sizes.insert(expr.id, rounds);
                if let Some(entries) = self.entries_of(&fold.step) {
                    self.entries.insert(expr.id, entries);
                }
            }
            _ => {}
        }
        sum
    }

    fn push_iterated(&mut self, name: &SmolStr, range: &Expr, (step, size): (Step, Option<Range>)) {
        let mut path = self.path(range);
        path.push(step);
        let local = Local {
            path,
            size,
            entries: None,
        };
        self.push(name, local);
    }

    fn push_value(&mut self, name: &SmolStr, value: &Expr) {
        let local = Local {
            path: self.path(value),
            size: self.size(value),
            entries: self.entries_of(value),
        };
        self.push(name, local);
    }

    fn binding(&mut self, expr: &Expr, fold: &Comprehension) -> Range {
        let sum = self.cost(&fold.range).plus(self.cost(&fold.initial));
        self.push_value(&fold.accumulator, &fold.initial);
        let sum = sum.plus(self.cost(&fold.result));
        let size = self.size(&fold.result);
        let entries = self.entries_of(&fold.result);
        self.pop(&fold.accumulator);
        self.set_size(expr.id, size);
        if let Some(entries) = entries {
            self.entries.insert(expr.id, entries);
        }
        sum
    }
}

/// A comprehension that only gives a value a name.
fn is_binding(fold: &Comprehension) -> bool {
    let is_empty = matches!(&fold.range.node, Node::List(list) if list.elements.is_empty());
    let is_never = matches!(fold.condition.literal(), Some(Value::Bool(false)));
    is_empty && is_never && fold.accumulator != "__result__"
}

/// The size of what is written out.
fn written_size(expr: &Expr) -> Option<Range> {
    Some(Range::fixed(match &expr.node {
        Node::Literal(value) => value.size(),
        Node::List(list) => list.elements.len() as u64,
        Node::Map(entries) => entries.len() as u64,
        _ => return None,
    }))
}

/// Whether all values of a type have one size.
fn is_scalar(kind: &Type) -> bool {
    match kind {
        Type::Optional(inner) => is_scalar(inner),
        kind => matches!(
            kind,
            Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint
        ),
    }
}
