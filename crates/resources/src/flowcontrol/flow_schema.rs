//! Flow schemas: which requests belong to which priority level.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::{EXEMPT, mandatory, rules};
use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::table::{age, columns, name, or_none};

const PRECEDENCE_MAX: i64 = 10_000;
const DEFAULT_PRECEDENCE: i64 = 1000;

/// The strategy of flow schemas.
pub(crate) struct FlowSchema;

impl Strategy for FlowSchema {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        if object.int("/spec/matchingPrecedence").unwrap_or_default() == 0 {
            object.set("/spec/matchingPrecedence", DEFAULT_PRECEDENCE);
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        let precedence = spec.int("/matchingPrecedence").unwrap_or_default();
        let mut refuse = |why: &str| {
            errors.push(Error::invalid(&path.child("matchingPrecedence"), precedence, why));
        };
        if precedence <= 0 {
            refuse("must be a positive value");
        }
        if precedence > PRECEDENCE_MAX {
            refuse("must not be greater than 10000");
        }
        if precedence == 1 && object.text("/metadata/name") != EXEMPT {
            refuse("only the schema named 'exempt' may have matchingPrecedence 1");
        }
        const METHODS: &[&str] = &["ByNamespace", "ByUser"];
        let method = spec.field("distinguisherMethod");
        if !method.is_null() && !METHODS.contains(&method.text("/type")) {
            let path = path.child("distinguisherMethod.type");
            let shown = go_literal("FlowDistinguisherMethod", method);
            errors.push(Error::not_supported(&path, method.clone(), METHODS).shown_as(shown));
        }
        let (level_path, level) = (
            path.child("priorityLevelConfiguration.name"),
            spec.text("/priorityLevelConfiguration/name"),
        );
        if level.is_empty() {
            errors.push(Error::required(&level_path, "must reference a priority level"));
        } else {
            check::dns_subdomain(&mut errors, &level_path, level);
        }
        for (at, rule) in spec.items("/rules").iter().enumerate() {
            rules::rule(&mut errors, &path.child("rules").index(at), rule);
        }
        mandatory::flow_schema(&mut errors, object);
        errors.extend(rules::conditions(object));
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        rules::conditions(new)
    }

    fn columns(&self) -> &'static [Column] {
        columns("flowschemas.flowcontrol.apiserver.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let mut conditions = object.items("/status/conditions").iter();
        let dangling = conditions.find(|condition| condition.text("/type") == "Dangling");
        vec![
            name(object),
            object.text("/spec/priorityLevelConfiguration/name").into(),
            object.int("/spec/matchingPrecedence").unwrap_or_default().into(),
            or_none(object.text("/spec/distinguisherMethod/type")),
            age(object, now),
            dangling.map_or("?", |condition| condition.text("/status")).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn precedences_and_levels_are_checked() {
        let errors =
            FlowSchema.validate(&json!({"metadata": {"name": "a"}, "spec": {"matchingPrecedence": 1}}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
                "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
            ]
        );
    }
}
