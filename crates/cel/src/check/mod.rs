//! Which type each node has and which overloads a call may mean, as cel-go's checker decides it.

mod call;
mod unify;
mod validators;

use smol_str::{SmolStr, format_smolstr};

use crate::declared::Kind;
use crate::environment::Environment;
use crate::library::{Function, Library, Overload};
use crate::syntax::tree::{FieldValue, List, Select};
use crate::syntax::{Comprehension, Entry, Expr, Id, Issues, Node};
use crate::typing::Type;
use unify::{Bindings, is_assignable, most_general, substitute};

/// What a name or a call turned out to be.
#[derive(Clone, Debug)]
pub(crate) enum Reference {
    /// A variable of the environment, by its place; `true` for a dotted name that stands for the whole node.
    Variable(usize),
    /// A type as a value.
    Type(Type),
    /// A call: the function, and the overloads that fit; more than one if types are known at run time only.
    Call {
        function: &'static Function,
        overloads: Vec<&'static Overload>,
        /// What looks like the receiver is part of the function's name, as in `optional.of(1)`.
        is_namespaced: bool,
    },
}

/// An expression with its types.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) root: Expr,
    pub(crate) types: Vec<Type>,
    pub(crate) references: Vec<Option<Reference>>,
}

impl Checked {
    pub(crate) fn type_of(&self, id: Id) -> &Type {
        self.types.get(id).unwrap_or(&Type::Dyn)
    }

    pub(crate) fn reference(&self, id: Id) -> Option<&Reference> {
        self.references.get(id)?.as_ref()
    }

    /// The overloads that a call may mean.
    pub(crate) fn overloads(&self, id: Id) -> &[&'static Overload] {
        match self.reference(id) {
            Some(Reference::Call { overloads, .. }) => overloads,
            _ => &[],
        }
    }

    /// Whether the variable of a name is used.
    pub(crate) fn uses(&self, environment: &Environment, name: &str) -> bool {
        let Some((place, _)) = environment.find(name) else {
            return false;
        };
        let is_it = |reference: &Option<Reference>| matches!(reference, Some(Reference::Variable(at)) if *at == place);
        self.references.iter().any(is_it)
    }
}

/// Parses and checks `source`; the faults as upstream writes them.
pub(crate) fn check(environment: &Environment, source: &str) -> Result<Checked, String> {
    let parsed = crate::syntax::parse(source, environment.has(Library::Bindings))
        .map_err(|issues| issues.render(source))?;
    let count = parsed.offsets.len();
    let mut checker = Checker {
        environment,
        offsets: parsed.offsets,
        types: vec![None; count],
        references: vec![None; count],
        bindings: Bindings::default(),
        fresh: 0,
        scopes: Vec::new(),
        issues: Issues::default(),
    };
    checker.expr(&parsed.root);
    if !checker.issues.is_empty() {
        return Err(checker.issues.render(source));
    }
    let resolve = |kind: Option<Type>| {
        kind.map_or(Type::Dyn, |kind| {
            substitute(&checker.bindings, &kind, unify::Unbound::Dyn)
        })
    };
    let checked = Checked {
        root: parsed.root,
        types: checker.types.into_iter().map(resolve).collect(),
        references: checker.references,
    };
    let mut issues = checker.issues;
    validators::validate(&checked, &checker.offsets, &mut issues);
    if issues.is_empty() {
        Ok(checked)
    } else {
        Err(issues.render(source))
    }
}

struct Checker<'a> {
    environment: &'a Environment,
    offsets: Vec<usize>,
    types: Vec<Option<Type>>,
    references: Vec<Option<Reference>>,
    bindings: Bindings,
    fresh: usize,
    scopes: Vec<(SmolStr, Type)>,
    issues: Issues,
}

impl Checker<'_> {
    fn expr(&mut self, expr: &Expr) {
        let kind = match &expr.node {
            Node::Literal(value) => value.type_of(),
            Node::Ident(name) => self.ident(expr.id, name),
            Node::Select(select) => self.select(expr, select),
            Node::Call(call) => self.call(expr.id, call),
            Node::List(list) => self.list(list),
            Node::Map(entries) => self.map(entries),
            Node::Struct(name, fields) => self.message(expr.id, name, fields),
            Node::Comprehension(fold) => self.comprehension(fold),
        };
        if let Some(slot) = self.types.get_mut(expr.id) {
            *slot = Some(kind);
        }
    }

    fn type_of(&self, expr: &Expr) -> Type {
        self.types.get(expr.id).cloned().flatten().unwrap_or(Type::Error)
    }

    fn refer(&mut self, id: Id, reference: Reference) {
        if let Some(slot) = self.references.get_mut(id) {
            *slot = Some(reference);
        }
    }

    fn report(&mut self, id: Id, message: impl Into<String>) {
        let offset = self.offsets.get(id).copied().unwrap_or_default();
        self.issues.report(offset, message);
    }

    fn resolved(&self, kind: &Type) -> Type {
        substitute(&self.bindings, kind, unify::Unbound::Keep)
    }

    fn variable(&mut self) -> Type {
        self.fresh += 1;
        Type::Param(format_smolstr!("_var{}", self.fresh - 1))
    }

    fn assignable(&mut self, one: &Type, two: &Type) -> bool {
        is_assignable(&mut self.bindings, one, two)
    }

    fn ident(&mut self, id: Id, name: &str) -> Type {
        if !name.starts_with('.')
            && let Some((_, kind)) = self.scopes.iter().rev().find(|(known, _)| known == name)
        {
            return kind.clone();
        }
        if let Some(kind) = self.global(id, name.trim_start_matches('.')) {
            return kind;
        }
        self.undeclared(id, name)
    }

    fn undeclared(&mut self, id: Id, name: &str) -> Type {
        let message = format!("undeclared reference to '{name}' (in container '')");
        self.report(id, message);
        Type::Error
    }

    /// A variable or a type.
    fn global(&mut self, id: Id, name: &str) -> Option<Type> {
        if let Some((place, kind)) = self.environment.find(name) {
            let kind = kind.clone();
            self.refer(id, Reference::Variable(place));
            return Some(kind);
        }
        // `dyn` is a function, no type of its own.
        let known = Type::named(name).filter(|kind| !kind.is_dyn());
        let named = known.or_else(|| self.environment.find_message(name))?;
        self.refer(id, Reference::Type(named.clone()));
        Some(Type::Type(Some(named.into())))
    }

    fn select(&mut self, expr: &Expr, select: &Select) -> Type {
        if let Some(name) = qualified(expr)
            && let Some(kind) = self.qualified(expr.id, &name)
        {
            return kind;
        }
        let kind = self.field(expr.id, &select.operand, &select.field, false);
        if select.is_test {
            Type::Bool
        } else {
            self.resolved(&kind)
        }
    }

    /// A dotted name that is one variable or type.
    fn qualified(&mut self, id: Id, name: &str) -> Option<Type> {
        let first = name.split('.').next().unwrap_or_default();
        let is_local = self.scopes.iter().any(|(known, _)| known == first);
        if is_local && !name.starts_with('.') {
            return None;
        }
        self.global(id, name.trim_start_matches('.'))
    }

    fn field(&mut self, id: Id, operand: &Expr, field: &str, is_optional: bool) -> Type {
        self.expr(operand);
        let kind = self.resolved(&self.type_of(operand));
        let (target, was_optional) = match &kind {
            Type::Optional(inner) => ((**inner).clone(), true),
            _ => (kind, false),
        };
        let result = match &target {
            Type::Map(entry) => entry.1.clone(),
            Type::Object(name, declared) => match &declared.kind {
                Kind::Object(object) => match object.field(field) {
                    Some(found) => Type::of_declared(&format_smolstr!("{name}.{field}"), &found.declared),
                    None => {
                        self.report(id, format!("undefined field '{field}'"));
                        Type::Error
                    }
                },
                _ => Type::Dyn,
            },
            Type::Opaque(name) if name.starts_with("kubernetes.") => {
                self.report(id, format!("unexpected failed resolution of '{name}'"));
                Type::Error
            }
            Type::Param(_) => {
                self.assignable(&Type::Dyn, &target);
                Type::Dyn
            }
            other => {
                if !other.is_dyn_or_error() {
                    self.report(id, format!("type '{other}' does not support field selection"));
                }
                Type::Dyn
            }
        };
        if was_optional || is_optional {
            return Type::optional(result);
        }
        result
    }

    fn list(&mut self, list: &List) -> Type {
        let mut joined: Option<Type> = None;
        for (at, element) in list.elements.iter().enumerate() {
            self.expr(element);
            let mut kind = self.type_of(element);
            if list.optional.contains(&at) {
                kind = self.unwrapped(element, kind);
            }
            joined = Some(self.joined(joined, kind));
        }
        let element = joined.unwrap_or_else(|| self.variable());
        Type::list(element)
    }

    /// The type within an optional one, which `?element` must be.
    fn unwrapped(&mut self, expr: &Expr, kind: Type) -> Type {
        match kind {
            Type::Optional(inner) => (*inner).clone(),
            kind => {
                if !kind.is_dyn() {
                    let wanted = Type::optional(kind.clone());
                    self.mismatch(expr.id, &wanted, &kind);
                }
                kind
            }
        }
    }

    fn mismatch(&mut self, id: Id, expected: &Type, found: &Type) {
        self.report(id, format!("expected type '{expected}' but found '{found}'"));
    }

    /// The type of what holds both.
    fn joined(&mut self, previous: Option<Type>, current: Type) -> Type {
        let Some(previous) = previous else {
            return current;
        };
        if self.assignable(&previous, &current) {
            most_general(previous, current)
        } else {
            Type::Dyn
        }
    }

    fn map(&mut self, entries: &[Entry]) -> Type {
        let (mut key, mut value) = (None, None);
        for entry in entries {
            self.expr(&entry.key);
            key = Some(self.joined(key, self.type_of(&entry.key)));
            self.expr(&entry.value);
            let mut kind = self.type_of(&entry.value);
            if entry.is_optional {
                kind = self.unwrapped(&entry.value, kind);
            }
            value = Some(self.joined(value, kind));
        }
        let key = key.unwrap_or_else(|| self.variable());
        let value = value.unwrap_or_else(|| self.variable());
        Type::map(key, value)
    }

    fn message(&mut self, id: Id, name: &str, fields: &[FieldValue]) -> Type {
        let plain = name.trim_start_matches('.');
        let Some(kind) = self.environment.find_message(plain) else {
            if let Some(known) = Type::named(plain) {
                self.report(id, format!("'{known}' is not a message type"));
                return Type::Error;
            }
            return self.undeclared(id, name);
        };
        for field in fields {
            self.expr(&field.value);
            let declared = match &kind {
                Type::Object(name, declared) => match &declared.kind {
                    Kind::Object(object) => object.field(&field.field).map(|found| {
                        Type::of_declared(&format_smolstr!("{name}.{}", field.field), &found.declared)
                    }),
                    _ => None,
                },
                _ => None,
            };
            let Some(declared) = declared else {
                self.report(field.id, format!("undefined field '{}'", field.field));
                continue;
            };
            let mut found = self.type_of(&field.value);
            if field.is_optional {
                found = self.unwrapped(&field.value, found);
            }
            if !self.assignable(&declared, &found) {
                let message = format!(
                    "expected type of field '{}' is '{declared}' but provided type is '{found}'",
                    field.field
                );
                self.report(field.id, message);
            }
        }
        self.refer(id, Reference::Type(kind.clone()));
        kind
    }

    fn comprehension(&mut self, fold: &Comprehension) -> Type {
        self.expr(&fold.range);
        self.expr(&fold.initial);
        let range = self.resolved(&self.type_of(&fold.range));
        let accumulated = self.type_of(&fold.initial);
        let depth = self.scopes.len();
        self.scopes.push((fold.accumulator.clone(), accumulated.clone()));
        let (first, second) = match &range {
            Type::List(element) if fold.second.is_some() => (Type::Int, (**element).clone()),
            Type::List(element) => ((**element).clone(), Type::Dyn),
            Type::Map(entry) => (entry.0.clone(), entry.1.clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.assignable(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.report(fold.range.id, message);
                (Type::Error, Type::Error)
            }
        };
        self.scopes.push((fold.variable.clone(), first));
        self.scopes.extend(fold.second.clone().map(|name| (name, second)));
        self.expr(&fold.condition);
        self.must_be(&fold.condition, &Type::Bool);
        self.expr(&fold.step);
        self.must_be(&fold.step, &accumulated);
        self.scopes.truncate(depth + 1);
        self.expr(&fold.result);
        self.scopes.truncate(depth);
        self.resolved(&self.type_of(&fold.result))
    }

    fn must_be(&mut self, expr: &Expr, wanted: &Type) {
        let found = self.type_of(expr);
        if !self.assignable(wanted, &found) {
            self.mismatch(expr.id, wanted, &found);
        }
    }
}

/// The dotted name that an expression is, if it is one.
fn qualified(expr: &Expr) -> Option<String> {
    match &expr.node {
        Node::Ident(name) => Some(name.to_string()),
        Node::Select(select) if !select.is_test => {
            let operand = qualified(&select.operand)?;
            Some(format!("{operand}.{}", select.field))
        }
        _ => None,
    }
}
