//! Whether a type may stand where another is wanted, and what that says of type variables.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::typing::Type;

/// What is known of type variables.
pub(super) type Bindings = HashMap<SmolStr, Type>;

/// What becomes of variables of which nothing is known.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unbound {
    Keep,
    Dyn,
}

/// `kind` with what is known of its variables.
pub(super) fn substitute(bindings: &Bindings, kind: &Type, unbound: Unbound) -> Type {
    let inner = |kind: &Type| Arc::new(substitute(bindings, kind, unbound));
    match kind {
        Type::Param(name) => match bindings.get(name) {
            Some(bound) => substitute(bindings, bound, unbound),
            None if unbound == Unbound::Dyn => Type::Dyn,
            None => kind.clone(),
        },
        Type::List(element) => Type::List(inner(element)),
        Type::Optional(value) => Type::Optional(inner(value)),
        Type::Type(Some(value)) => Type::Type(Some(inner(value))),
        Type::Map(entry) => Type::map(
            substitute(bindings, &entry.0, unbound),
            substitute(bindings, &entry.1, unbound),
        ),
        other => other.clone(),
    }
}

/// Collects the names of the parameters in `kind`.
pub(super) fn parameter_names(kind: &Type, names: &mut Vec<SmolStr>) {
    if let Type::Param(name) = kind
        && !names.contains(name)
    {
        names.push(name.clone());
    }
    for inner in kind.parameters() {
        parameter_names(inner, names);
    }
}

/// Whether `one` may stand for `two`; what is learnt of variables is kept only if so.
pub(super) fn is_assignable(bindings: &mut Bindings, one: &Type, two: &Type) -> bool {
    let mut tried = bindings.clone();
    let fits = assign(&mut tried, one, two);
    if fits {
        *bindings = tried;
    }
    fits
}

/// The same for arguments and parameters, one by one.
pub(super) fn is_assignable_all(bindings: &Bindings, ones: &[Type], twos: &[Type]) -> Option<Bindings> {
    let mut tried = bindings.clone();
    assign_all(&mut tried, ones.iter(), twos.iter()).then_some(tried)
}

fn assign_all<'a>(
    bindings: &mut Bindings,
    ones: impl ExactSizeIterator<Item = &'a Type>,
    twos: impl ExactSizeIterator<Item = &'a Type>,
) -> bool {
    ones.len() == twos.len() && ones.zip(twos).all(|(one, two)| assign(bindings, one, two))
}

fn assign(bindings: &mut Bindings, one: &Type, two: &Type) -> bool {
    if let Type::Param(name) = two {
        match bind(bindings, one, name) {
            (true, _) => return true,
            (false, true) => return false,
            _ => {}
        }
    }
    if let Type::Param(name) = one {
        return bind(bindings, two, name).0;
    }
    if one.is_dyn_or_error() || two.is_dyn_or_error() {
        return true;
    }
    match (one, two) {
        (Type::Null, other) | (other, Type::Null) => is_nullable(other),
        (Type::Type(_), Type::Type(_)) => true,
        _ => {
            one.is_alike(two)
                && assign_all(
                    bindings,
                    one.parameters().into_iter(),
                    two.parameters().into_iter(),
                )
        }
    }
}

fn is_nullable(kind: &Type) -> bool {
    matches!(
        kind,
        Type::Null
            | Type::Opaque(_)
            | Type::Optional(_)
            | Type::Object(..)
            | Type::Duration
            | Type::Timestamp
    )
}

/// Whether the variable `name` may be `kind`, and whether anything was known of it before.
fn bind(bindings: &mut Bindings, kind: &Type, name: &SmolStr) -> (bool, bool) {
    if matches!(kind, Type::Param(other) if other == name) {
        return (true, true);
    }
    if let Some(known) = bindings.get(name).cloned() {
        if *kind == known {
            return (true, true);
        }
        if !assign(bindings, kind, &known) {
            return (false, true);
        }
        let general = most_general(kind.clone(), known);
        if !occurs(bindings, name, &general) {
            bindings.insert(name.clone(), general);
        }
        return (true, true);
    }
    if occurs(bindings, name, kind) {
        return (false, false);
    }
    bindings.insert(name.clone(), kind.clone());
    (true, false)
}

/// Whether the variable is part of `kind`.
fn occurs(bindings: &Bindings, name: &SmolStr, kind: &Type) -> bool {
    match kind {
        Type::Param(other) => {
            other == name
                || bindings
                    .get(other)
                    .is_some_and(|bound| occurs(bindings, name, bound))
        }
        other => other
            .parameters()
            .into_iter()
            .any(|inner| occurs(bindings, name, inner)),
    }
}

/// The less specific of two types that fit each other.
pub(super) fn most_general(one: Type, two: Type) -> Type {
    if is_general(&one, &two) { one } else { two }
}

fn is_general(one: &Type, two: &Type) -> bool {
    if one.is_dyn() || matches!(one, Type::Param(_)) {
        return true;
    }
    if two.is_dyn() || matches!(two, Type::Param(_)) || !one.is_alike(two) {
        return false;
    }
    if matches!(one, Type::Type(_)) {
        return true;
    }
    let pairs = one.parameters().into_iter().zip(two.parameters());
    one.parameters().len() == two.parameters().len()
        && pairs.into_iter().all(|(one, two)| is_general(one, two))
}
