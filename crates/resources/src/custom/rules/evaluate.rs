//! The rules of an object, in upstream's order, within upstream's budget.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_cel::{Bindings, EvaluationError};
use warren_schema::{Kept, Schema};

use super::compile::Compiled;
use super::message;
use super::tree::{Node, Rule};

/// What all rules of one object may cost together.
const BUDGET: u64 = 10_000_000;

/// What came of the rules.
#[derive(Debug, Default)]
pub(in crate::custom) struct Findings {
    /// What keeps the object from being written.
    pub(in crate::custom) errors: Vec<Error>,
    /// What does not, since it was so before and has not changed.
    pub(in crate::custom) tolerated: Vec<Error>,
}

/// Evaluates the rules on an object, `old` what it was before; what was wrong before and has not changed by `schema`
/// is tolerated.
pub(in crate::custom) fn evaluate(
    node: &Node,
    schema: &Arc<Schema>,
    new: &Value,
    old: Option<&Value>,
) -> Findings {
    let known = Known {
        current: old.map(|old| Kept::new(new, old, Arc::clone(schema))),
        parent: None,
        is_root: true,
    };
    let mut run = Evaluation::within(BUDGET);
    // A budget that ran out ends all; it is among the errors.
    let _ = run.node(node, &Path::root(), new, old, &known);
    run.findings
}

/// The errors of a value that stands by itself at `path`, such as a default, and what is `left` of a budget.
pub(crate) fn evaluate_value(
    node: &Node,
    path: &Path,
    new: &Value,
    old: Option<&Value>,
    left: &mut u64,
) -> Vec<Error> {
    let mut run = Evaluation::within(*left);
    let _ = run.node(node, path, new, old, &Known::default());
    *left = run.left;
    run.findings.errors
}

/// What a value was before, for the tolerance of what has not changed.
#[derive(Clone, Default)]
struct Known<'v> {
    current: Option<Kept<'v>>,
    /// The nearest value above that is known from before.
    parent: Option<Kept<'v>>,
    is_root: bool,
}

impl<'v> Known<'v> {
    fn is_unchanged(&self) -> bool {
        let kept = self.current.as_ref().or(self.parent.as_ref());
        kept.is_some_and(Kept::is_unchanged)
    }

    fn key(&self, name: &str) -> Self {
        if self.is_root && matches!(name, "apiVersion" | "kind") {
            return Self::default();
        }
        self.below(|kept| kept.key(name))
    }

    fn below(&self, find: impl FnOnce(&Kept<'v>) -> Option<Kept<'v>>) -> Self {
        let Some(current) = &self.current else {
            return Self {
                is_root: false,
                ..self.clone()
            };
        };
        Self {
            current: find(current),
            parent: Some(current.clone()),
            is_root: false,
        }
    }
}

/// The budget is spent: nothing more is evaluated.
struct Exhausted;

type Step = Result<(), Exhausted>;

struct Evaluation {
    findings: Findings,
    left: u64,
}

impl Evaluation {
    fn within(left: u64) -> Self {
        Self {
            findings: Findings::default(),
            left,
        }
    }

    fn node(&mut self, node: &Node, path: &Path, new: &Value, old: Option<&Value>, kept: &Known<'_>) -> Step {
        if new.is_null() {
            return Ok(());
        }
        self.rules(node, path, new, old.filter(|old| !old.is_null()), kept)?;
        for part in &node.all_of {
            let kept = Known {
                current: None,
                ..kept.clone()
            };
            self.node(part, path, new, old, &kept)?;
        }
        match new {
            Value::Object(_) => self.fields(node, path, new, old, kept),
            Value::Array(items) => self.elements(node, path, items, old, kept),
            _ => Ok(()),
        }
    }

    fn fields(
        &mut self,
        node: &Node,
        path: &Path,
        new: &Value,
        old: Option<&Value>,
        kept: &Known<'_>,
    ) -> Step {
        if let Some(additional) = &node.additional {
            for (name, value) in new.as_object().into_iter().flatten() {
                let before = old.and_then(|old| old.get(name));
                self.node(additional, &path.key(name), value, before, &kept.key(name))?;
            }
        }
        for (name, child) in &node.properties {
            let Some(value) = new.get(name) else { continue };
            let before = old.and_then(|old| old.get(name));
            self.node(child, &path.child(name), value, before, &kept.key(name))?;
        }
        Ok(())
    }

    fn elements(
        &mut self,
        node: &Node,
        path: &Path,
        items: &[Value],
        old: Option<&Value>,
        kept: &Known<'_>,
    ) -> Step {
        let Some(element) = &node.items else {
            return Ok(());
        };
        for (at, item) in items.iter().enumerate() {
            let before = old.and_then(|old| same(node, item, old));
            let kept = kept.below(|list| list.index(at));
            self.node(element, &path.index(at), item, before, &kept)?;
        }
        Ok(())
    }

    fn rules(
        &mut self,
        node: &Node,
        path: &Path,
        new: &Value,
        old: Option<&Value>,
        kept: &Known<'_>,
    ) -> Step {
        if node.rules.is_empty() {
            return Ok(());
        }
        let Some(declared) = node.declared.as_deref() else {
            let why =
                "rule compiler initialization error: failed to convert to declType for CEL validation rules";
            self.findings
                .errors
                .push(Error::invalid(path, node.kind.as_str(), why));
            return Ok(());
        };
        if self.left == 0 {
            return self.exhausted(node, path);
        }
        let base = Bindings::new().declared("self", new, declared);
        let optional = base.clone().declared_optional("oldSelf", old, declared);
        let plain = match old {
            Some(old) => base.clone().declared("oldSelf", old, declared),
            None => base.clone(),
        };
        // As upstream, expressions of messages see what was before only where a rule does, and never as an optional.
        let uses_old = node.compiled().iter().any(|compiled| compiled.uses_old);
        let message = if uses_old { &plain } else { &base };
        for (rule, compiled) in node.rules.iter().zip(node.compiled()) {
            if compiled.uses_old && old.is_none() && !rule.is_optional_old {
                continue;
            }
            let bindings = if rule.is_optional_old { &optional } else { &plain };
            self.rule(node, (rule, compiled), (path, new), (bindings, message), kept)?;
        }
        Ok(())
    }

    fn exhausted(&mut self, node: &Node, path: &Path) -> Step {
        let why =
            "validation failed due to running out of cost budget, no further validation rules will be run";
        self.findings
            .errors
            .push(Error::invalid(path, node.kind.as_str(), why));
        Err(Exhausted)
    }

    fn rule(
        &mut self,
        node: &Node,
        (rule, compiled): (&Rule, &Compiled),
        (path, new): (&Path, &Value),
        (bindings, for_message): (&Bindings<'_>, &Bindings<'_>),
        kept: &Known<'_>,
    ) -> Step {
        let mut refuse = |why: String| {
            self.findings
                .errors
                .push(Error::invalid(path, node.kind.as_str(), why))
        };
        let program = match &compiled.program {
            Ok(program) => program,
            Err(why) => {
                refuse(format!("rule compile error: {why}"));
                return Ok(());
            }
        };
        let outcome = program.evaluate(bindings);
        if outcome.cost > self.left {
            return self.exhausted(node, path);
        }
        self.left -= outcome.cost;
        match outcome.value {
            Ok(value) if value.as_bool() == Some(true) => return Ok(()),
            Ok(_) => {}
            Err(EvaluationError::CostLimit) => {
                let error = EvaluationError::CostLimit;
                let what = message::name(rule);
                refuse(format!(
                    "'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {what}"
                ));
                return Err(Exhausted);
            }
            Err(EvaluationError::Failed(error)) => {
                let what = message::name(rule);
                refuse(if error.starts_with("no such overload") {
                    format!(
                        "'{error}': call arguments did not match a supported operator, function or macro signature \
                         for rule: {what}"
                    )
                } else {
                    format!("{error} evaluating rule: {what}")
                });
                return Ok(());
            }
        }
        let path = if rule.field_path.is_empty() {
            path.clone()
        } else {
            path.child(&rule.field_path)
        };
        let is_tolerated = !compiled.uses_old && kept.is_unchanged();
        let (error, is_last) = match message::of(rule, compiled, for_message, &mut self.left) {
            Ok(detail) => (message::error(node, rule, (&path, new), detail), false),
            Err(why) => (Error::invalid(&path, node.kind.as_str(), why), true),
        };
        if is_tolerated {
            self.findings.tolerated.push(error);
        } else {
            self.findings.errors.push(error);
        }
        if is_last { Err(Exhausted) } else { Ok(()) }
    }
}

/// The element of a list of before that is the same one, by its keys.
fn same<'v>(node: &Node, item: &Value, old: &'v Value) -> Option<&'v Value> {
    let keys = node.keys.as_ref()?;
    old.as_array()?
        .iter()
        .find(|known| keys.iter().all(|key| known.field(key) == item.field(key)))
}
