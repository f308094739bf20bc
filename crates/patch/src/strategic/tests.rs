//! Strategic merge, directive by directive.

use serde_json::{Value, json};
use warren_apimachinery::Status;

use super::*;
use crate::testing::{deployment, schema};

/// What upstream's own tests expect: one `[object, patch, outcome]` a line, of objects as [`item`] describes them.
/// Facts of Kubernetes 1.36 (`k8s.io/apimachinery/pkg/util/strategicpatch`).
const MERGES: &str = include_str!("../../testdata/strategic-merges.jsonl");

/// The type of upstream's tests, as deep as they nest it.
fn item(depth: usize) -> Value {
    let list = |strategy: &str| {
        json!({"type": "array", "items": item(depth - 1), "x-kubernetes-patch-strategy": strategy,
            "x-kubernetes-patch-merge-key": "name"})
    };
    let numbers = |strategy: &str| json!({"type": "array", "items": {"type": "integer"}, "x-kubernetes-patch-strategy": strategy});
    if depth == 0 {
        return json!({"type": "object", "properties": {"name": {"type": "string"}}});
    }
    let keeping = json!({"type": "object", "x-kubernetes-patch-strategy": "retainKeys", "properties": {
        "simpleMap": {"type": "object", "additionalProperties": {"type": "string"}},
        "mergingList": list("merge"), "nonMergingList": list(""), "mergingIntList": numbers("merge")}});
    json!({"type": "object", "properties": {
        "name": {"type": "string"}, "value": {"type": "string"}, "other": {"type": "string"},
        "mergingList": list("merge"), "nonMergingList": list(""),
        "mergingIntList": numbers("merge"), "nonMergingIntList": numbers(""),
        "mergeItemPtr": list("merge"), "simpleMap": {"type": "object", "additionalProperties": {"type": "string"}},
        "retainKeysMap": keeping, "retainKeysMergingList": list("merge,retainKeys")}})
}

#[test]
fn merges_as_upstreams_tests_expect() {
    let schema = schema(&item(3));
    let mut differing = Vec::new();
    for line in MERGES.lines() {
        let [object, patch, expect]: [Value; 3] = serde_json::from_str(line).unwrap();
        let mut got = object.clone();
        let outcome = strategic_merge(&schema, &mut got, &patch);
        if outcome.is_err() || got != expect {
            differing.push(format!(
                "{object}\n + {patch}\n = {got} {outcome:?}\nnot {expect}"
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

fn merged(mut document: Value, patch: &Value) -> Result<Value, PatchError> {
    strategic_merge(&deployment(), &mut document, patch).map(|()| document)
}

fn check(document: Value, patch: Value, expect: Value) {
    assert_eq!(merged(document, &patch).unwrap(), expect);
}

fn containers(list: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": list}}}})
}

fn ordered(order: Value, list: Value) -> Value {
    json!({"spec": {"template": {"spec": {"$setElementOrder/containers": order, "containers": list}}}})
}

fn refusal(document: Value, patch: Value) -> (u16, String) {
    let status = Status::from(merged(document, &patch).unwrap_err());
    (status.code(), status.message().to_owned())
}

#[test]
fn sets_replaces_and_removes_fields() {
    check(
        json!({"spec": {"replicas": 1, "paused": true, "selector": {"matchLabels": {"a": "b"}}}}),
        json!({"spec": {"replicas": 3, "paused": null, "nothing": null, "selector": {"matchLabels": {"c": "d"}}}}),
        json!({"spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b", "c": "d"}}}}),
    );
    check(
        json!({}),
        json!({"data": {"a": null, "b": "1"}}),
        json!({"data": {"b": "1"}}),
    );
    check(
        json!({"data": {"a": "1", "b": "2"}}),
        json!({"data": {"a": null}}),
        json!({"data": {"b": "2"}}),
    );
}

#[test]
fn merges_elements_by_key_and_puts_new_ones_where_the_patch_has_them() {
    check(
        containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}])),
        containers(json!([{"name": "b", "image": "2", "args": ["x"]}, {"name": "c"}])),
        containers(json!([
            {"name": "a", "image": "1"}, {"name": "b", "image": "2", "args": ["x"]}, {"name": "c"}
        ])),
    );
    check(
        containers(json!([{"name": "a", "args": ["1", "2"]}])),
        containers(json!([{"name": "a", "args": ["3"]}])),
        containers(json!([{"name": "a", "args": ["3"]}])),
    );
}

#[test]
fn patch_delete_takes_an_element_out() {
    check(
        containers(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
        containers(json!([{"name": "b", "$patch": "delete"}, {"name": "zz", "$patch": "delete"}])),
        containers(json!([{"name": "a"}, {"name": "c"}])),
    );
}

#[test]
fn patch_replace_replaces_lists_and_maps() {
    check(
        containers(json!([{"name": "a"}, {"name": "b"}])),
        containers(json!([{"name": "c", "image": "x"}, {"$patch": "replace"}])),
        containers(json!([{"name": "c", "image": "x"}])),
    );
    check(
        json!({"data": {"a": "1", "b": "2"}}),
        json!({"data": {"$patch": "replace", "c": "3"}}),
        json!({"data": {"c": "3"}}),
    );
    check(
        json!({"data": {"a": "1"}}),
        json!({"data": {"$patch": "delete"}}),
        json!({"data": {}}),
    );
    check(json!({}), json!({"data": {"$patch": "delete"}}), json!({}));
}

#[test]
fn retain_keys_clears_what_it_does_not_name() {
    check(
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        json!({"spec": {"strategy": {"type": "Recreate"}}}),
    );
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {"maxSurge": 1}}}});
    assert_eq!(
        refusal(json!({"spec": {"strategy": {"type": "x"}}}), patch),
        (400, "invalid patch format of retainKeys".into())
    );
}

#[test]
fn set_element_order_orders_what_the_patch_names_and_keeps_the_rest() {
    check(
        containers(json!([{"name": "a"}, {"name": "server"}, {"name": "b"}])),
        ordered(
            json!([{"name": "b"}, {"name": "new"}, {"name": "a"}]),
            json!([{"name": "new", "image": "x"}]),
        ),
        containers(json!([{"name": "server"}, {"name": "b"}, {"name": "new", "image": "x"}, {"name": "a"}])),
    );
    check(
        json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}}),
        json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}}}),
        containers(json!([{"name": "b"}, {"name": "a"}])),
    );
    check(
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"$setElementOrder/finalizers": ["c", "a"], "finalizers": ["c"]}}),
        json!({"metadata": {"finalizers": ["c", "a", "b"]}}),
    );
    let (code, text) = refusal(
        containers(json!([{"name": "a"}])),
        ordered(json!([{"name": "a"}]), json!([{"name": "zz"}])),
    );
    assert_eq!(code, 500);
    assert!(
        text.starts_with("The order in patch list:\n[map[name:zz]]\n doesn't match"),
        "{text}"
    );
}

#[test]
fn scalars_are_united_and_deleted_by_value() {
    check(
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"finalizers": ["b", "c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}),
        json!({"metadata": {"finalizers": ["b", "c"]}}),
    );
    check(
        json!({"metadata": {}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
        json!({"metadata": {}}),
    );
    assert_eq!(
        refusal(
            json!({"metadata": {"finalizers": []}}),
            json!({"metadata": {"$deleteFromPrimitiveList": ["a"]}})
        ),
        (400, "invalid patch format of primitive list".into())
    );
}

#[test]
fn ports_merge_by_container_port_alone() {
    let ports = |list: Value| containers(json!([{"name": "a", "ports": list}]));
    check(
        ports(json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "UDP"}])),
        ports(json!([{"containerPort": 80, "hostPort": 8080}])),
        ports(json!([
            {"containerPort": 80, "protocol": "TCP", "hostPort": 8080},
            {"containerPort": 81, "protocol": "UDP"}
        ])),
    );
}

#[test]
fn refuses_what_upstream_refuses_with_its_words() {
    assert_eq!(
        refusal(
            containers(json!([{"name": "a"}])),
            containers(json!([{"image": "x"}]))
        ),
        (
            500,
            "map: map[image:x] does not contain declared merge key: name".into()
        )
    );
    assert_eq!(
        refusal(
            containers(json!([{"name": "a"}])),
            containers(json!([{"name": "a", "$patch": "wave"}]))
        ),
        (
            500,
            "unknown patch type: wave in map: map[$patch:wave name:a]".into()
        )
    );
    assert_eq!(
        refusal(json!({"data": {}}), json!([1])),
        (
            400,
            "json: cannot unmarshal array into Go value of type map[string]interface {}".into()
        )
    );
    assert_eq!(
        refusal(
            json!({"metadata": {"finalizers": ["a"]}}),
            json!({"metadata": {"finalizers": [["b"]]}})
        )
        .0,
        500
    );
}

#[test]
fn an_added_map_brings_no_map_along_that_is_a_directive() {
    check(
        json!({}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "x", "rollingUpdate": null}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "x"}}}),
    );
    check(
        json!({}),
        containers(json!([{"name": "a"}, {"name": "b", "$patch": "delete"}])),
        containers(json!([{"name": "a"}])),
    );
}
