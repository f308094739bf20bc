//! The tree of an expression. Nodes are numbered; where a node stands in the source is looked up by number.

use smol_str::SmolStr;

use crate::value::Value;

/// The number of a node.
pub(crate) type Id = usize;

/// A node with what is below it.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) id: Id,
    /// How many levels there are from here down, so that nobody recurses too deep.
    pub(crate) height: usize,
    pub(crate) node: Node,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Literal(Value<'static>),
    Ident(SmolStr),
    Select(Box<Select>),
    Call(Box<Call>),
    List(List),
    Map(Vec<Entry>),
    /// `Name{field: value}`.
    Struct(SmolStr, Vec<FieldValue>),
    Comprehension(Box<Comprehension>),
}

/// `operand.field`, or `has(operand.field)`.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub(crate) operand: Expr,
    pub(crate) field: SmolStr,
    pub(crate) is_test: bool,
}

/// `function(arguments)` or `target.function(arguments)`; operators are functions such as `_+_`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) function: SmolStr,
    pub(crate) target: Option<Expr>,
    pub(crate) arguments: Vec<Expr>,
}

/// `[a, ?b]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub(crate) elements: Vec<Expr>,
    /// Places of the elements that are left out when absent.
    pub(crate) optional: Vec<usize>,
}

/// `key: value` or `?key: value` of a map.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Expr,
    pub(crate) value: Expr,
    pub(crate) is_optional: bool,
}

/// `field: value` or `?field: value` of a message.
#[derive(Clone, Debug)]
pub(crate) struct FieldValue {
    pub(crate) id: Id,
    pub(crate) field: SmolStr,
    pub(crate) value: Expr,
    pub(crate) is_optional: bool,
}

/// What macros become: a loop over a range that carries a value along.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension {
    pub(crate) range: Expr,
    pub(crate) variable: SmolStr,
    /// For loops over index and element, or key and value.
    pub(crate) second: Option<SmolStr>,
    pub(crate) accumulator: SmolStr,
    pub(crate) initial: Expr,
    pub(crate) condition: Expr,
    pub(crate) step: Expr,
    pub(crate) result: Expr,
}

impl Expr {
    pub(crate) fn new(id: Id, node: Node) -> Self {
        let mut expr = Self { id, height: 0, node };
        let below = expr.children().into_iter().map(|child| child.height).max();
        expr.height = 1 + below.unwrap_or(0);
        expr
    }

    pub(crate) fn literal(&self) -> Option<&Value<'static>> {
        match &self.node {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The nodes right below this one.
    pub(crate) fn children(&self) -> Vec<&Self> {
        match &self.node {
            Node::Literal(_) | Node::Ident(_) => Vec::new(),
            Node::Select(select) => vec![&select.operand],
            Node::Call(call) => call.target.iter().chain(&call.arguments).collect(),
            Node::List(list) => list.elements.iter().collect(),
            Node::Map(entries) => entries
                .iter()
                .flat_map(|entry| [&entry.key, &entry.value])
                .collect(),
            Node::Struct(_, fields) => fields.iter().map(|field| &field.value).collect(),
            Node::Comprehension(fold) => vec![
                &fold.range,
                &fold.initial,
                &fold.condition,
                &fold.step,
                &fold.result,
            ],
        }
    }

    /// Calls `visit` on this node and on all below it.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}
