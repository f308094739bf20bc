//! `anyOf`, `oneOf`, `allOf` and `not`: what upstream says where none, several or not all of them hold.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::field::Error;

use super::Walk;
use super::kept::Kept;
use super::outcome::Outcome;
use crate::model::Schema;
use crate::rules::Rules;

impl Walk<'_> {
    /// What is said of a value by the schemas that are combined.
    pub(super) fn combined(&mut self, rules: &Rules, value: &Value, kept: Option<&Kept<'_>>) -> Outcome {
        let mut outcome = Outcome::default();
        if !rules.any_of.is_empty() {
            let any = self.any(&rules.any_of, value, kept);
            outcome.merge(any);
        }
        if !rules.one_of.is_empty() {
            let one = self.one(&rules.one_of, value, kept);
            outcome.merge(one);
        }
        let mut held = 0;
        for schema in &rules.all_of {
            let found = self.node(schema, value, kept);
            held += usize::from(found.is_valid());
            outcome.merge(found);
        }
        if held < rules.all_of.len() {
            let none = if held == 0 { ". None validated" } else { "" };
            self.whole(
                &mut outcome,
                &format!("must validate all the schemas (allOf){none}"),
            );
        }
        if let Some(schema) = &rules.not
            && self.node(schema, value, kept).is_valid()
        {
            self.whole(&mut outcome, "must not validate the schema (not)");
        }
        outcome.pass();
        outcome
    }

    fn any(&mut self, schemas: &[Arc<Schema>], value: &Value, kept: Option<&Kept<'_>>) -> Outcome {
        let mut best: Option<Outcome> = None;
        for schema in schemas {
            let found = self.node(schema, value, kept);
            if found.is_valid() {
                return found;
            }
            best = nearer(best, found);
        }
        let mut outcome = Outcome::default();
        self.whole(&mut outcome, "must validate at least one schema (anyOf)");
        outcome.merge(best.unwrap_or_default());
        outcome
    }

    fn one(&mut self, schemas: &[Arc<Schema>], value: &Value, kept: Option<&Kept<'_>>) -> Outcome {
        let (mut best, mut first, mut held) = (None, None, 0);
        for schema in schemas {
            let found = self.node(schema, value, kept);
            if found.is_valid() {
                held += 1;
                first.get_or_insert(found);
            } else {
                best = nearer(best, found);
            }
        }
        if held == 1 {
            return first.unwrap_or_default();
        }
        let found = match held {
            0 => "Found none valid".to_owned(),
            many => format!("Found {many} valid alternatives"),
        };
        let mut outcome = Outcome::default();
        self.whole(
            &mut outcome,
            &format!("must validate one and only one schema (oneOf). {found}"),
        );
        if held == 0 {
            outcome.merge(best.unwrap_or_default());
        }
        outcome
    }

    /// Upstream reports what is combined at the object, with the path in the text.
    fn whole(&self, outcome: &mut Outcome, what: &str) {
        outcome.add(Error::invalid(self.root, "", format!("{:?} {what}", self.path)));
    }
}

/// The first of those that passed most checks.
fn nearer(best: Option<Outcome>, found: Outcome) -> Option<Outcome> {
    match best {
        Some(best) if !found.is_nearer(&best) => Some(best),
        _ => Some(found),
    }
}
