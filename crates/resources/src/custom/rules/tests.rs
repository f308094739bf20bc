use serde_json::{Value, json};

use warren_apimachinery::field::Path;
use warren_apimachinery::value::ValueExt;

use super::evaluate::{Findings, evaluate_value};
use super::{Node, evaluate, has_rules};

/// What the rules of `schema` say of a change, errors first.
fn check(schema: &Value, new: &Value, old: Option<&Value>, wanted: &[&str]) {
    assert!(has_rules(schema));
    let node = Node::of_root(schema).unwrap();
    let Findings { errors, tolerated } =
        evaluate(&node, &warren_schema::from_json_schema(schema).unwrap(), new, old);
    let mut said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    said.extend(tolerated.iter().map(|error| format!("tolerated {error}")));
    assert_eq!(said, wanted);
}

fn schema(spec: Value) -> Value {
    json!({"type": "object", "properties": {"spec": spec}})
}

#[test]
fn rules_are_told_with_their_messages_paths_and_reasons() {
    let schema = schema(json!({"type": "object",
        "properties": {
            "a": {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 5"}]},
            "min-b": {"type": "integer"},
            "names": {"type": "array", "items": {"type": "string", "x-kubernetes-validations": [
                {"rule": "self.startsWith('x')", "message": "starts with x"}]}},
            "map": {"type": "object", "additionalProperties": {"type": "string", "x-kubernetes-validations": [
                {"rule": "self != ''"}]}}},
        "x-kubernetes-validations": [
            {"rule": "self.a >= self.min__dash__b", "messageExpression": "'a is ' + string(self.a)",
             "fieldPath": ".a", "reason": "FieldValueForbidden"},
            {"rule": "has(self.names)", "reason": "FieldValueRequired", "fieldPath": ".names"},
            {"rule": "self.names.size() < 2", "message": "at most one"}]}));
    let good = json!({"spec": {"a": 3, "min-b": 2, "names": ["xy"], "map": {"k": "v"}}});
    check(&schema, &good, None, &[]);
    let bad = json!({"spec": {"a": 7, "min-b": 9, "names": ["xy", "z"], "map": {"k": ""}}});
    check(
        &schema,
        &bad,
        None,
        &[
            "spec.a: Forbidden: a is 7",
            "spec: Invalid value: at most one",
            "spec.a: Invalid value: 7: failed rule: self < 5",
            "spec.map[k]: Invalid value: \"\": failed rule: self != ''",
            "spec.names[1]: Invalid value: \"z\": starts with x",
        ],
    );
    let without = json!({"spec": {"a": 3, "min-b": 2}});
    check(
        &schema,
        &without,
        None,
        &[
            "spec.names: Required value: failed rule: has(self.names)",
            "spec: Invalid value: \"object\": no such key: names evaluating rule: at most one",
        ],
    );
}

#[test]
fn rules_on_changes_run_where_there_was_something_before() {
    let schema = schema(json!({"type": "object", "properties": {
        "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is fixed"}]},
        "once": {"type": "integer", "x-kubernetes-validations": [
            {"rule": "!oldSelf.hasValue() || self > oldSelf.value()", "optionalOldSelf": true, "message": "must grow"}]},
        "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v"}]}}}}));
    let old = json!({"spec": {"fixed": "a", "once": 2, "list": [{"k": "x", "v": 1}, {"k": "y", "v": 5}]}});
    let new = json!({"spec": {"fixed": "b", "once": 1, "list": [{"k": "y", "v": 4}, {"k": "z", "v": 0}]}});
    check(&schema, &new, None, &[]);
    check(
        &schema,
        &new,
        Some(&old),
        &[
            "spec.fixed: Invalid value: \"b\": is fixed",
            "spec.list[0]: Invalid value: failed rule: self.v >= oldSelf.v",
            "spec.once: Invalid value: 1: must grow",
        ],
    );
}

#[test]
fn what_was_wrong_before_and_did_not_change_is_tolerated() {
    let schema = schema(json!({"type": "object", "properties": {"a": {"type": "integer",
        "x-kubernetes-validations": [{"rule": "self < 5"}]}, "b": {"type": "integer"}}}));
    let old = json!({"spec": {"a": 9, "b": 1}});
    check(
        &schema,
        &json!({"spec": {"a": 9, "b": 2}}),
        Some(&old),
        &["tolerated spec.a: Invalid value: 9: failed rule: self < 5"],
    );
    check(
        &schema,
        &json!({"spec": {"a": 8, "b": 1}}),
        Some(&old),
        &["spec.a: Invalid value: 8: failed rule: self < 5"],
    );
}

/// Rules with what kube-apiserver 1.36.2's own validator says of an object, and what it leaves of the budget.
#[test]
fn rules_have_the_answers_that_upstream_gives() {
    let mut wrong = String::new();
    for line in include_str!("../../../tests/rules.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (schema, new) = (case.field("schema"), case.field("object"));
        if !has_rules(schema) {
            assert!(case.get("left").is_none(), "{line}");
            continue;
        }
        let node = Node::of_root(schema).unwrap();
        let budget = case.field("budget").as_u64().unwrap_or(10_000_000);
        let mut left = budget;
        let errors = match case.get("old") {
            Some(old) => {
                let declared = warren_schema::from_json_schema(schema).unwrap();
                evaluate(&node, &declared, new, Some(old)).errors
            }
            None => evaluate_value(&node, &Path::root(), new, None, &mut left),
        };
        let mut said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        said.sort();
        let wanted: Vec<&str> = case.items("/said").iter().filter_map(Value::as_str).collect();
        let wanted_left = case.field("left").as_u64();
        let is_wrong_left = case.get("old").is_none() && wanted_left.is_some_and(|wanted| wanted != left);
        if said != wanted || is_wrong_left {
            let (object, old) = (new.field("spec"), case.field("old").field("spec"));
            let schema = schema.field("properties").field("spec");
            wrong.push_str(&format!(
                "{}: {schema} {object} was {old}\n  {said:#?} {left}\n  should be {wanted:#?} {wanted_left:?}\n",
                case.text("/name")
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
