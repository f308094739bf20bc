//! The expressions of `x-kubernetes-validations`: their types, and what they may cost. All of a rule but its
//! expression is `value_rules`'.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_cel::{Declared, Kind, MAX_REQUEST_BYTES};

use crate::check::Errors;
use crate::custom::rules::{Compiled, Expressions};
use crate::go_literal::go_literal;

/// The most that one rule may cost, and all rules of a version, by upstream's estimate.
const RULE_LIMIT: u64 = 10_000_000;
const VERSION_LIMIT: u64 = 100_000_000;
/// How many of the most expensive rules are named when all together cost too much.
const NAMED: usize = 4;

/// Checks the expressions of a structural schema. Where `errors` has faults of a node or below it already, its
/// expressions are not looked at, as upstream.
pub(super) fn check(errors: &mut Errors, path: &Path, schema: &Value) {
    let faults: Vec<String> = errors
        .iter()
        .map(|error| error.path.as_str().to_owned())
        .collect();
    let checker = Checker {
        faults,
        total: RefCell::default(),
    };
    let place = Place {
        declared: None,
        is_root: true,
        times: Some(1),
        uncorrelatable: None,
    };
    let mut found = Errors::new();
    checker.node(&mut found, path, schema, &place);
    errors.extend(found);
    checker.total.into_inner().report(errors, path);
}

#[derive(Default)]
struct Total {
    cost: u64,
    most: Vec<(u64, Path)>,
}

impl Total {
    fn observe(&mut self, path: &Path, cost: u64) {
        self.cost = self.cost.saturating_add(cost);
        if cost < VERSION_LIMIT / 100 {
            return;
        }
        self.most.push((cost, path.clone()));
        self.most.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        self.most.truncate(NAMED);
    }

    fn report(self, errors: &mut Errors, path: &Path) {
        if self.cost <= VERSION_LIMIT {
            return;
        }
        for (_, rule) in &self.most {
            errors.push(Error::forbidden(
                rule,
                "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
            ));
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(Error::forbidden(
            path,
            too_expensive(what, self.cost, VERSION_LIMIT),
        ));
    }
}

/// Where in the tree a schema stands.
#[derive(Clone)]
struct Place<'a> {
    /// What expressions see of it, if a schema above had to work that out.
    declared: Option<Arc<Declared>>,
    is_root: bool,
    /// How often its values can occur; `None` where nothing bounds it.
    times: Option<u64>,
    /// The schema above from which on values of before and after a change can't be told to be the same.
    uncorrelatable: Option<&'a Path>,
}

struct Checker {
    faults: Vec<String>,
    total: RefCell<Total>,
}

impl Checker {
    fn node(&self, errors: &mut Errors, path: &Path, schema: &Value, place: &Place<'_>) {
        if !schema.is_object() {
            return;
        }
        let rules = schema.items("/x-kubernetes-validations");
        let is_embedded = schema.field("x-kubernetes-embedded-resource").as_bool() == Some(true);
        let declared = match &place.declared {
            Some(declared) => Some(Arc::clone(declared)),
            None if rules.is_empty() => None,
            None => Declared::of_schema(schema, place.is_root || is_embedded),
        };
        self.children(errors, path, schema, declared.as_deref(), place);
        if rules.is_empty() || self.is_faulty(path) {
            return;
        }
        let path = path.child("x-kubernetes-validations");
        let Some(declared) = declared else {
            let why = "internal error: failed to construct type information for x-kubernetes-validations rules: \
                       unable to convert structural schema to CEL declarations";
            errors.push(Error::internal(&path, why));
            return;
        };
        let expressions = Expressions::of(&declared);
        for (at, rule) in rules.iter().enumerate() {
            self.rule(errors, &path.index(at), (rule, &declared), &expressions, place);
        }
    }

    fn is_faulty(&self, path: &Path) -> bool {
        self.faults.iter().any(|fault| fault.starts_with(path.as_str()))
    }

    fn children(
        &self,
        errors: &mut Errors,
        path: &Path,
        schema: &Value,
        declared: Option<&Declared>,
        place: &Place<'_>,
    ) {
        let times = place
            .times
            .and_then(|times| Some(times.saturating_mul(growth(schema)?)));
        let below = |declared: Option<Arc<Declared>>| Place {
            declared,
            is_root: false,
            times,
            uncorrelatable: place.uncorrelatable,
        };
        let element = match declared.map(|declared| &declared.kind) {
            Some(Kind::List { element, .. } | Kind::Map(element)) => Some(Arc::clone(element)),
            _ => None,
        };
        let values = schema.field("additionalProperties");
        self.node(
            errors,
            &path.child("additionalProperties"),
            values,
            &below(element.clone()),
        );
        for (name, child) in schema.field("properties").as_object().into_iter().flatten() {
            let field = match (declared.map(|declared| &declared.kind), warren_cel::escape(name)) {
                (Some(Kind::Object(object)), Some(escaped)) => object
                    .fields
                    .get(escaped.as_str())
                    .map(|field| Arc::clone(&field.declared)),
                _ => None,
            };
            let mut place = below(field);
            if !matches!(schema.text("/x-kubernetes-map-type"), "" | "granular" | "atomic") {
                place.uncorrelatable.get_or_insert(path);
            }
            self.node(errors, &path.child("properties").key(name), child, &place);
        }
        let mut items = below(element);
        if schema.text("/x-kubernetes-list-type") != "map" {
            items.uncorrelatable.get_or_insert(path);
        }
        self.node(errors, &path.child("items"), schema.field("items"), &items);
    }

    fn rule(
        &self,
        errors: &mut Errors,
        path: &Path,
        (rule, declared): (&Value, &Declared),
        expressions: &Expressions,
        place: &Place<'_>,
    ) {
        let at = path.child("rule");
        let compiled = expressions.compile(rule);
        let shown = |path: &Path, why: &str| {
            Error::invalid(path, rule.clone(), why).shown_as(go_literal("ValidationRule", rule))
        };
        let times = place.times.unwrap_or(MAX_REQUEST_BYTES / (declared.min_size + 1));
        let cost = compiled.cost.saturating_mul(times);
        self.afford(errors, &at, "estimated rule cost", cost);
        if let Err(why) = &compiled.program {
            errors.push(shown(&at, why));
        }
        match &compiled.message {
            Some(Err(why)) => errors.push(shown(&path.child("messageExpression"), why)),
            Some(Ok(_)) => {
                let path = path.child("messageExpression");
                self.afford(
                    errors,
                    &path,
                    "estimated messageExpression cost",
                    compiled.message_cost,
                );
            }
            None => {}
        }
        old_self(errors, path, rule, &compiled, place);
    }

    fn afford(&self, errors: &mut Errors, path: &Path, what: &str, cost: u64) {
        if cost > RULE_LIMIT {
            errors.push(Error::forbidden(path, too_expensive(what, cost, RULE_LIMIT)));
        }
        self.total.borrow_mut().observe(path, cost);
    }
}

fn old_self(errors: &mut Errors, path: &Path, rule: &Value, compiled: &Compiled, place: &Place<'_>) {
    if !compiled.uses_old {
        if let Some(optional) = rule.field("optionalOldSelf").as_bool() {
            let why = "may not be set if oldSelf is not used in rule";
            errors.push(Error::invalid(&path.child("optionalOldSelf"), optional, why));
        }
        return;
    }
    if let Some(within) = place.uncorrelatable {
        let why =
            format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {within}");
        errors.push(Error::invalid(&path.child("rule"), rule.text("/rule"), why));
    }
}

/// By how much a schema multiplies the number of values below it; `None` if nothing bounds that.
fn growth(schema: &Value) -> Option<u64> {
    let most = |key: &str| {
        let number = schema.field(key).as_i64()?;
        Some(u64::try_from(number).unwrap_or(0))
    };
    match schema.text("/type") {
        "object" if !schema.field("additionalProperties").is_null() => most("maxProperties"),
        "array" => most("maxItems"),
        _ => Some(1),
    }
}

fn too_expensive(what: &str, cost: u64, limit: u64) -> String {
    let times = cost as f64 / limit as f64;
    let factor = if times > 100.0 {
        "more than 100x".to_owned()
    } else if times < 1.5 {
        format!("{times:.6}x")
    } else {
        format!("{times:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, \
         and maxLength where arrays, maps, and strings are declared)"
    )
}
