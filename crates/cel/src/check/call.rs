//! Calls: which function a name means, and which of its overloads take the arguments.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::unify::{self, Unbound, is_assignable_all, substitute};
use super::{Checker, Reference, qualified};
use crate::library::{Function, Overload};
use crate::syntax::tree::Call;
use crate::syntax::{Expr, Id};
use crate::typing::Type;
use crate::value::Value;

impl Checker<'_> {
    pub(super) fn call(&mut self, id: Id, call: &Call) -> Type {
        if call.function == "_?._" {
            return self.optional_select(id, call);
        }
        for argument in &call.arguments {
            self.expr(argument);
        }
        let Some(target) = &call.target else {
            return self.function(id, call, None, call.function.trim_start_matches('.'));
        };
        // `sets.contains(a, b)` is a function of that name, not `contains` of a variable `sets`.
        if let Some(prefix) = qualified(target) {
            let name = format!("{}.{}", prefix.trim_start_matches('.'), call.function);
            if let Some(function) = self.environment.function(&name) {
                return self.resolve(id, function, None, &call.arguments, true);
            }
        }
        self.expr(target);
        self.function(id, call, Some(target), &call.function)
    }

    fn optional_select(&mut self, id: Id, call: &Call) -> Type {
        let [operand, field] = call.arguments.as_slice() else {
            return Type::Error;
        };
        let Some(Value::String(name)) = field.literal() else {
            self.report(field.id, "unsupported optional field selection");
            return Type::Error;
        };
        let kind = self.field(id, operand, name, true);
        if let Some(function) = self.environment.function("_?._") {
            let overloads = function.overloads.iter().collect();
            self.refer(
                id,
                Reference::Call {
                    function,
                    overloads,
                    is_namespaced: false,
                },
            );
        }
        self.resolved(&kind)
    }

    fn function(&mut self, id: Id, call: &Call, target: Option<&Expr>, name: &str) -> Type {
        match self.environment.function(name) {
            Some(function) => self.resolve(id, function, target, &call.arguments, false),
            None => self.undeclared(id, &call.function),
        }
    }

    fn resolve(
        &mut self,
        id: Id,
        function: &'static Function,
        target: Option<&Expr>,
        arguments: &[Expr],
        is_namespaced: bool,
    ) -> Type {
        let kinds: Vec<Type> = target
            .into_iter()
            .chain(arguments)
            .map(|expr| self.type_of(expr))
            .collect();
        let mut overloads: Vec<&'static Overload> = Vec::new();
        let mut result: Option<Type> = None;
        let of_style = function
            .overloads
            .iter()
            .filter(|overload| overload.is_member == target.is_some());
        for overload in of_style {
            if matches!(function.name, "_&&_" | "_||_") {
                return self.logical(id, function, overload, arguments);
            }
            let (parameters, returned) = self.instance(overload);
            let Some(bindings) = is_assignable_all(&self.bindings, &kinds, &parameters) else {
                continue;
            };
            self.bindings = bindings;
            overloads.push(overload);
            let returned = self.resolved(&returned);
            result = Some(match result {
                None => returned,
                Some(known) if known.is_dyn() || known == returned => known,
                Some(_) => Type::Dyn,
            });
        }
        let Some(result) = result else {
            self.no_overload(id, function, &kinds, target.is_some());
            return Type::Error;
        };
        self.refer(
            id,
            Reference::Call {
                function,
                overloads,
                is_namespaced,
            },
        );
        result
    }

    fn logical(
        &mut self,
        id: Id,
        function: &'static Function,
        overload: &'static Overload,
        arguments: &[Expr],
    ) -> Type {
        let mut is_fit = true;
        for argument in arguments {
            let kind = self.type_of(argument);
            if !self.assignable(&kind, &Type::Bool) {
                self.mismatch(argument.id, &Type::Bool, &kind);
                is_fit = false;
            }
        }
        let reference = Reference::Call {
            function,
            overloads: vec![overload],
            is_namespaced: false,
        };
        self.refer(id, reference);
        if is_fit { Type::Bool } else { Type::Error }
    }

    /// The types of an overload with type variables of its own for its parameters.
    fn instance(&mut self, overload: &Overload) -> (Vec<Type>, Type) {
        let mut names: Vec<SmolStr> = Vec::new();
        for kind in overload.parameters.iter().chain([&overload.result]) {
            unify::parameter_names(kind, &mut names);
        }
        if names.is_empty() {
            return (overload.parameters.clone(), overload.result.clone());
        }
        let fresh: HashMap<SmolStr, Type> = names.into_iter().map(|name| (name, self.variable())).collect();
        let renamed = |kind: &Type| substitute(&fresh, kind, Unbound::Keep);
        (
            overload.parameters.iter().map(renamed).collect(),
            renamed(&overload.result),
        )
    }

    fn no_overload(&mut self, id: Id, function: &Function, kinds: &[Type], is_member: bool) {
        let shown: Vec<String> = kinds
            .iter()
            .map(|kind| substitute(&self.bindings, kind, Unbound::Dyn).to_string())
            .collect();
        let signature = match shown.split_first() {
            Some((target, arguments)) if is_member => format!("{target}.({})", arguments.join(", ")),
            _ => format!("({})", shown.join(", ")),
        };
        let message = format!(
            "found no matching overload for '{}' applied to '{signature}'",
            function.name
        );
        self.report(id, message);
    }
}
