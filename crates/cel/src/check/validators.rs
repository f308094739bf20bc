//! What is looked at once an expression has its types: literals that can't be read, lists and maps of mixed
//! types, formats that do not fit their arguments.

use super::Checked;
use crate::library::printf::{self, Argument};
use crate::syntax::{Expr, Id, Issues, Node};
use crate::typing::Type;
use crate::value::Value;

/// Reports what is wrong.
pub(super) fn validate(checked: &Checked, offsets: &[usize], issues: &mut Issues) {
    let mut found: Vec<(Id, String)> = Vec::new();
    uniform(checked, &checked.root, &mut found);
    checked.root.walk(&mut |expr| {
        literal_argument(expr, &mut found);
        format_call(checked, expr, &mut found);
    });
    for (id, message) in found {
        issues.report(offsets.get(id).copied().unwrap_or_default(), message);
    }
}

fn literal_argument(expr: &Expr, found: &mut Vec<(Id, String)>) {
    let Node::Call(call) = &expr.node else { return };
    let Some((id, value)) = call
        .arguments
        .first()
        .and_then(|argument| Some((argument.id, argument.literal()?)))
    else {
        return;
    };
    let is_fit = match (call.function.as_str(), value) {
        ("duration" | "timestamp", value) => crate::library::converts(&call.function, value),
        ("matches", Value::String(text)) => crate::library::regex::compile(text).is_ok(),
        _ => true,
    };
    if !is_fit {
        found.push((id, format!("invalid {} argument", call.function)));
    }
}

/// Lists and maps have elements of one type, unless they are what a format is filled with.
fn uniform(checked: &Checked, expr: &Expr, found: &mut Vec<(Id, String)>) {
    let mut differs = |wanted: &Type, other: &Expr, kind: &Type| {
        let is_same = wanted == kind;
        if !is_same {
            found.push((other.id, format!("expected type '{wanted}' but found '{kind}'")));
        }
        is_same
    };
    let unwrapped = |expr: &Expr, is_optional: bool| match checked.type_of(expr.id) {
        Type::Optional(inner) if is_optional => (**inner).clone(),
        kind => kind.clone(),
    };
    match &expr.node {
        Node::Call(call) if call.function == "format" => return,
        Node::List(list) => {
            let mut kinds = list.elements.iter().enumerate().map(|(at, element)| {
                let kind = unwrapped(element, list.optional.contains(&at));
                (element, kind)
            });
            if let Some((_, wanted)) = kinds.next() {
                let mut kinds = kinds;
                let _ = kinds.all(|(element, kind)| differs(&wanted, element, &kind));
            }
        }
        Node::Map(entries) => {
            let mut wanted: Option<(Type, Type)> = None;
            for entry in entries {
                let key = checked.type_of(entry.key.id).clone();
                let value = unwrapped(&entry.value, entry.is_optional);
                match &wanted {
                    None => wanted = Some((key, value)),
                    Some((keys, values)) => {
                        differs(keys, &entry.key, &key);
                        differs(values, &entry.value, &value);
                    }
                }
            }
        }
        _ => {}
    }
    for child in expr.children() {
        uniform(checked, child, found);
    }
}

/// `'%d'.format([x])`: clauses and arguments of a constant format fit.
fn format_call(checked: &Checked, expr: &Expr, found: &mut Vec<(Id, String)>) {
    let Node::Call(call) = &expr.node else { return };
    if call.function != "format" {
        return;
    }
    let (Some(Value::String(format)), [argument]) = (
        call.target.as_ref().and_then(Expr::literal),
        call.arguments.as_slice(),
    ) else {
        return;
    };
    let Node::List(list) = &argument.node else { return };
    let mut fault_at = expr.id;
    let mut used = 0;
    let result = printf::run(format, list.elements.len(), &mut |at, clause| {
        used += 1;
        let Some(element) = list.elements.get(at) else {
            return Err(format!("index {at} out of range"));
        };
        let kind = checked.type_of(element.id);
        match clause.fault(&Argument::Typed(kind)) {
            Some(fault) => {
                fault_at = element.id;
                Err(fault)
            }
            None => Ok(String::new()),
        }
    });
    match result {
        Err(message) => found.push((fault_at, message)),
        Ok(_) if list.elements.len() > used => {
            let count = list.elements.len();
            found.push((
                expr.id,
                format!("too many arguments supplied to string.format (expected {used}, got {count})"),
            ));
        }
        Ok(_) => {}
    }
}
