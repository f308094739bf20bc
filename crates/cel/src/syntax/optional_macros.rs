//! Macros that bind a name to a value: `optMap`, `optFlatMap`, `sortBy`, `cel.bind`.

use smol_str::SmolStr;

use super::macros::Expand;
use super::tree::{Comprehension, Expr, Node};
use crate::value::Value;

/// The loop variable of a comprehension that only binds its accumulator.
const UNUSED: &str = "#unused";
const SORTED: &str = "@__sortBy_input__";

/// `target.optMap(variable, result)` and `optFlatMap`.
pub(super) fn opt_map(
    expand: &mut Expand<'_>,
    name: &str,
    target: Expr,
    variable: &Expr,
    result: Expr,
) -> Expr {
    let Node::Ident(variable_name) = &variable.node else {
        let message = format!("{name}() variable name must be a simple identifier");
        return expand.parser.fault(variable.id, message);
    };
    let copy = expand.copy(&target);
    let value = expand.method("value", copy, Vec::new());
    let bound = bind(expand, variable_name, value, result);
    let some = if name == "optMap" {
        expand.call("optional.of", vec![bound])
    } else {
        bound
    };
    let has = expand.method("hasValue", target, Vec::new());
    let none = expand.call("optional.none", Vec::new());
    expand.call("_?_:_", vec![has, some, none])
}

/// `cel.bind(variable, value, result)`.
pub(super) fn bind_name(expand: &mut Expand<'_>, variable: &Expr, value: Expr, result: Expr) -> Expr {
    match &variable.node {
        Node::Ident(name) => bind(expand, name, value, result),
        _ => {
            let message = "cel.bind() variable names must be simple identifiers";
            expand.parser.fault(variable.id, message)
        }
    }
}

/// `target.sortBy(variable, key)`.
pub(super) fn sort_by(expand: &mut Expand<'_>, target: Expr, variable: Expr, key: Expr) -> Expr {
    if matches!(target.node, Node::Literal(_) | Node::Map(_) | Node::Struct(..)) {
        let message =
            "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
        return expand.parser.fault(target.id, message);
    }
    let input = expand.ident(SORTED);
    let keys = expand.collect(input, vec![variable], None, key);
    let input = expand.ident(SORTED);
    let sorted = expand.method("@sortByAssociatedKeys", input, vec![keys]);
    bind(expand, SORTED, target, sorted)
}

/// A comprehension over nothing whose accumulator is `value` while `result` is made.
fn bind(expand: &mut Expand<'_>, name: &str, value: Expr, result: Expr) -> Expr {
    let fold = Comprehension {
        range: expand.list(Vec::new()),
        variable: SmolStr::new_static(UNUSED),
        second: None,
        accumulator: SmolStr::new(name),
        initial: value,
        condition: expand.literal(Value::Bool(false)),
        step: expand.ident(name),
        result,
    };
    expand.fold(fold)
}
