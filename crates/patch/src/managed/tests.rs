//! Ownership from write to write, as upstream keeps it.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;

use super::*;
use crate::testing::deployment;

const V: &str = "apps/v1";

/// A cluster of one object.
struct World {
    schema: Schema,
    object: Option<Value>,
    time: u32,
    reset: &'static [&'static [&'static str]],
}

impl World {
    fn new() -> Self {
        Self {
            schema: deployment(),
            object: None,
            time: 0,
            reset: &[],
        }
    }

    fn tick(&mut self) -> String {
        self.time += 1;
        format!("2026-01-01T00:00:{:02}Z", self.time)
    }

    fn write(&mut self, manager: &str, subresource: &str, change: impl FnOnce(&mut Value)) {
        let mut after = self
            .object
            .clone()
            .unwrap_or_else(|| json!({"apiVersion": V, "kind": "Deployment", "metadata": {"name": "x"}}));
        change(&mut after);
        let now = self.tick();
        update(OwnershipUpdate {
            schema: &self.schema,
            before: self.object.as_ref(),
            after: &mut after,
            manager,
            api_version: V,
            subresource,
            now: &now,
            reset: self.reset,
            in_version: &|_, _, _| None,
        });
        after.set("/metadata/uid", "u");
        self.object = Some(after);
    }

    fn try_apply(&mut self, manager: &str, force: bool, fields: Value) -> Result<(), ApplyError> {
        let mut configuration = json!({"apiVersion": V, "kind": "Deployment", "metadata": {"name": "x"}});
        crate::merge_patch(&mut configuration, &fields).unwrap();
        if let Some(Value::Null) = fields.pointer("/spec/replicas") {
            configuration.set("/spec/replicas", Value::Null);
        }
        let now = self.tick();
        let mut object = apply(Apply {
            schema: &self.schema,
            live: self.object.as_ref(),
            configuration: &configuration,
            manager,
            api_version: V,
            kind: "Deployment",
            subresource: "",
            force,
            now: &now,
            reset: self.reset,
            in_version: &|_, _, _| None,
        })?;
        object.set("/metadata/uid", "u");
        self.object = Some(object);
        Ok(())
    }

    fn apply(&mut self, manager: &str, fields: Value) {
        self.try_apply(manager, false, fields).unwrap();
    }

    fn refused(&mut self, manager: &str, fields: Value) -> Value {
        let error = self.try_apply(manager, false, fields).unwrap_err();
        serde_json::to_value(Status::from(error)).unwrap()
    }

    fn at(&self, pointer: &str) -> Value {
        self.object.as_ref().unwrap().at(pointer).clone()
    }

    /// `manager operation subresource: fields`, one a line.
    fn owners(&self) -> Vec<String> {
        let entries = self.at("/metadata/managedFields");
        let line = |entry: &Value| {
            let words = [
                entry.text("/manager"),
                entry.text("/operation"),
                entry.text("/subresource"),
            ];
            format!("{}: {}", words.join(" ").trim_end(), entry.at("/fieldsV1"))
        };
        entries.as_array().into_iter().flatten().map(line).collect()
    }

    fn owner_is(&self, expect: &[&str]) {
        assert_eq!(self.owners(), expect);
    }
}

fn replicas(count: i64) -> Value {
    json!({"spec": {"replicas": count}})
}

fn pod(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[test]
fn a_create_owns_all_but_the_identity_of_the_object() {
    let mut world = World::new();
    world.write("kubectl-create", "", |o| {
        o.set("/metadata/labels/a", "b");
        o.set("/metadata/generation", 1);
        o.set(
            "/spec/template/spec/containers",
            json!([{"name": "c", "ports": [{"containerPort": 80}]}]),
        );
        o.set("/spec/selector", json!({"matchLabels": {"a": "b"}}));
    });
    assert_eq!(
        world.at("/metadata/managedFields/0"),
        json!({
            "manager": "kubectl-create", "operation": "Update", "apiVersion": V,
            "time": "2026-01-01T00:00:01Z", "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {
                    ".": {}, "f:selector": {},
                    "f:template": {".": {}, "f:spec": {".": {}, "f:containers": {".": {},
                        "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:ports": {".": {},
                            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}
                }
            }
        })
    );
}

#[test]
fn changed_fields_move_to_who_changed_them_and_removed_ones_to_nobody() {
    let mut world = World::new();
    world.write("a", "", |o| o.set("/data", json!({"x": "1", "y": "1"})));
    world.write("b", "", |o| o.set("/data/x", "2"));
    world.owner_is(&[
        r#"a Update: {"f:data":{".":{},"f:y":{}}}"#,
        r#"b Update: {"f:data":{"f:x":{}}}"#,
    ]);
    world.write("c", "", |o| {
        o.take_at("/data/x");
    });
    world.owner_is(&[r#"a Update: {"f:data":{".":{},"f:y":{}}}"#]);
    assert_eq!(world.at("/metadata/managedFields/0/time"), "2026-01-01T00:00:01Z");
}

#[test]
fn subresources_own_apart_and_reset_fields_are_not_owned() {
    let mut world = World {
        reset: &[&["status"]],
        ..World::new()
    };
    world.write("a", "", |o| {
        o.set("/spec/replicas", 1);
        o.set("/status/replicas", 1);
    });
    world.reset = &[&["spec"], &["metadata", "labels"]];
    world.write("a", "status", |o| {
        o.set("/metadata/labels/a", "b");
        o.set("/spec/replicas", 2);
        o.set("/status/replicas", 2);
    });
    world.owner_is(&[
        r#"a Update: {"f:spec":{".":{},"f:replicas":{}}}"#,
        r#"a Update status: {"f:status":{"f:replicas":{}}}"#,
    ]);
}

#[test]
fn clients_may_edit_owners_or_reset_them_but_not_through_a_subresource() {
    let mut world = World::new();
    world.write("a", "", |o| o.set("/data/x", "1"));
    world.write("b", "", |o| {
        o.set(
            "/metadata/managedFields",
            json!([{
                "manager": "other", "operation": "Apply", "apiVersion": V, "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {"f:x": {}}}
            }]),
        );
    });
    world.owner_is(&[r#"other Apply: {"f:data":{"f:x":{}}}"#]);
    // Who forgets to send them, or sends nonsense, changes nothing.
    world.write("b", "", |o| {
        o.set("/metadata/managedFields", json!([{"operation": "Wave"}]))
    });
    world.write("b", "status", |o| o.set("/metadata/managedFields", json!([])));
    world.write("b", "", |o| {
        o.take_at("/metadata/managedFields");
    });
    world.owner_is(&[r#"other Apply: {"f:data":{"f:x":{}}}"#]);
    for reset in [json!([]), json!([{}])] {
        let mut world = World {
            object: world.object.clone(),
            ..World::new()
        };
        world.write("b", "", |o| {
            o.set("/metadata/managedFields", reset);
            o.set("/data/x", "2");
        });
        world.owner_is(&[]);
        assert!(world.at("/metadata/managedFields").is_null());
        // From then on nobody is recorded, until somebody applies.
        world.write("b", "", |o| o.set("/data/x", "3"));
        world.owner_is(&[]);
    }
}

#[test]
fn old_updates_are_merged_into_ancient_changes() {
    let mut world = World::new();
    for n in 0..13 {
        world.write(&format!("m{n:02}"), "", |o| o.set(&format!("/data/k{n}"), "1"));
    }
    let owners = world.owners();
    assert_eq!(owners.len(), 10);
    assert_eq!(
        owners[0],
        r#"ancient-changes Update: {"f:data":{".":{},"f:k0":{},"f:k1":{},"f:k2":{},"f:k3":{}}}"#
    );
    assert_eq!(world.at("/metadata/managedFields/0/time"), "2026-01-01T00:00:04Z");
    assert_eq!(owners[1], r#"m04 Update: {"f:data":{"f:k4":{}}}"#);
}

#[test]
fn an_apply_creates_owns_what_it_says_and_takes_back_what_it_leaves_out() {
    let mut world = World::new();
    world.apply(
        "m1",
        json!({"data": {"a": "1", "b": "1"}, "spec": {"replicas": 1}}),
    );
    world.owner_is(&[r#"m1 Apply: {"f:data":{"f:a":{},"f:b":{}},"f:spec":{"f:replicas":{}}}"#]);
    world.apply("m1", json!({"data": {"a": "1"}}));
    assert_eq!(world.at("/data"), json!({"a": "1"}));
    assert!(world.at("/spec/replicas").is_null());
    world.owner_is(&[r#"m1 Apply: {"f:data":{"f:a":{}}}"#]);
}

#[test]
fn what_another_owns_too_stays_when_one_leaves_it_out() {
    let mut world = World::new();
    world.apply("m1", json!({"data": {"a": "1"}, "spec": {"replicas": 1}}));
    world.apply("m2", json!({"data": {"a": "1"}}));
    world.owner_is(&[
        r#"m2 Apply: {"f:data":{"f:a":{}}}"#,
        r#"m1 Apply: {"f:data":{"f:a":{}},"f:spec":{"f:replicas":{}}}"#,
    ]);
    world.apply("m1", json!({"spec": {"replicas": 1}}));
    assert_eq!(world.at("/data"), json!({"a": "1"}));
    world.owner_is(&[
        r#"m2 Apply: {"f:data":{"f:a":{}}}"#,
        r#"m1 Apply: {"f:spec":{"f:replicas":{}}}"#,
    ]);
    world.apply("m2", json!({}));
    assert!(world.at("/data/a").is_null());
    world.owner_is(&[r#"m1 Apply: {"f:spec":{"f:replicas":{}}}"#]);
}

#[test]
fn a_conflict_names_the_owner_and_the_field() {
    let mut world = World::new();
    world.apply("m1", json!({"data": {"a": "1"}}));
    let before = world.object.clone();
    assert_eq!(
        world.refused("m2", json!({"data": {"a": "2"}})),
        json!({
            "apiVersion": "v1", "code": 409, "kind": "Status", "metadata": {}, "reason": "Conflict",
            "status": "Failure", "message": "Apply failed with 1 conflict: conflict with \"m1\": .data.a",
            "details": {"causes": [{
                "field": ".data.a", "message": "conflict with \"m1\"", "reason": "FieldManagerConflict"
            }]}
        })
    );
    assert_eq!(world.object, before);
}

#[test]
fn conflicts_are_grouped_by_owner() {
    let mut world = World::new();
    world.write("kubectl-client-side-apply", "", |o| {
        o.set("/spec", json!({"replicas": 1, "paused": false}));
        o.set("/data/a", "1");
    });
    world.write("hpa", "scale", |o| o.set("/spec/replicas", 2));
    let answer = world.refused(
        "m",
        json!({"spec": {"replicas": 3, "paused": true}, "data": {"a": "2"}}),
    );
    assert_eq!(
        answer["message"],
        "Apply failed with 3 conflicts: conflicts with \"hpa\" with subresource \"scale\" using apps/v1:\n- .spec.replicas\nconflicts with \"kubectl-client-side-apply\" using apps/v1:\n- .data.a\n- .spec.paused"
    );
    assert_eq!(
        answer["details"]["causes"][0],
        json!({
            "field": ".spec.replicas", "reason": "FieldManagerConflict",
            "message": "conflict with \"hpa\" with subresource \"scale\" using apps/v1"
        })
    );
}

#[test]
fn force_takes_over() {
    let mut world = World::new();
    world.apply("m1", json!({"data": {"a": "1", "b": "1"}}));
    world.try_apply("m2", true, json!({"data": {"a": "2"}})).unwrap();
    world.owner_is(&[
        r#"m1 Apply: {"f:data":{"f:b":{}}}"#,
        r#"m2 Apply: {"f:data":{"f:a":{}}}"#,
    ]);
    assert_eq!(world.at("/data"), json!({"a": "2", "b": "1"}));
}

#[test]
fn an_apply_that_changes_nothing_leaves_the_object_as_it_is() {
    let mut world = World::new();
    let configuration = pod(json!([{"name": "a", "ports": [{"containerPort": 80}]}]));
    world.apply("m1", configuration.clone());
    let before = world.object.clone();
    world.apply("m1", configuration);
    assert_eq!(world.object, before);
}

#[test]
fn the_default_of_a_key_counts_and_elements_keep_their_place() {
    let mut world = World::new();
    world.write("a", "", |o| {
        o.set(
            "/spec/template/spec/containers",
            json!([
                {"name": "sidecar"},
                {"name": "app", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
            ]),
        );
    });
    world.apply("m", pod(json!([
        {"name": "app", "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}]},
        {"name": "last"}
    ])));
    assert_eq!(
        world.at("/spec/template/spec/containers"),
        json!([
            {"name": "sidecar"},
            {"name": "app", "ports": [
                {"containerPort": 80, "protocol": "TCP", "name": "http"},
                {"containerPort": 80, "protocol": "UDP"}
            ]},
            {"name": "last"}
        ])
    );
}

#[test]
fn the_last_element_of_a_list_can_be_taken_back() {
    let mut world = World::new();
    world.apply(
        "m",
        json!({"metadata": {"finalizers": ["a/b"]}, "data": {"x": "1"}}),
    );
    world.owner_is(&[r#"m Apply: {"f:data":{"f:x":{}},"f:metadata":{"f:finalizers":{"v:\"a/b\"":{}}}}"#]);
    world.apply("m", json!({"data": {"x": "1"}}));
    assert!(world.at("/metadata/finalizers").is_null());
    world.owner_is(&[r#"m Apply: {"f:data":{"f:x":{}}}"#]);
}

#[test]
fn an_element_another_added_to_stays_with_what_the_other_owns() {
    let mut world = World::new();
    world.apply(
        "m1",
        pod(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}])),
    );
    world.apply("m2", pod(json!([{"name": "b", "args": ["x"]}])));
    world.apply("m1", pod(json!([{"name": "a", "image": "1"}])));
    assert_eq!(
        world.at("/spec/template/spec/containers"),
        json!([{"name": "a", "image": "1"}, {"name": "b", "args": ["x"]}])
    );
}

#[test]
fn what_nobody_owns_is_not_taken_back_with_its_parent() {
    let mut world = World::new();
    world.apply("m1", json!({"data": {"a": "1"}}));
    world.write("u", "", |o| o.set("/data/b", "1"));
    world.apply("m1", json!({}));
    assert_eq!(world.at("/data"), json!({"b": "1"}));
}

#[test]
fn an_object_without_owners_belongs_to_before_first_apply() {
    let mut world = World::new();
    world.write("a", "", |o| o.set("/data", json!({"a": "1"})));
    world.object.as_mut().unwrap().take_at("/metadata/managedFields");
    assert_eq!(
        world.refused("m", json!({"data": {"a": "2"}}))["message"],
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using apps/v1: .data.a"
    );
    world.apply("m", json!({"data": {"a": "1", "b": "1"}}));
    world.owner_is(&[
        r#"m Apply: {"f:data":{"f:a":{},"f:b":{}}}"#,
        r#"before-first-apply Update: {"f:data":{".":{},"f:a":{}}}"#,
    ]);
}

#[test]
fn null_is_owned_but_not_stored() {
    let mut world = World::new();
    world.apply("m", json!({"spec": {"replicas": null}, "data": {"a": "1"}}));
    assert!(world.at("/spec").get("replicas").is_none());
    world.owner_is(&[r#"m Apply: {"f:data":{"f:a":{}},"f:spec":{"f:replicas":{}}}"#]);
}

#[test]
fn kubectl_takes_over_what_its_client_side_apply_set() {
    let applied = json!({"apiVersion": V, "kind": "Deployment", "metadata": {"name": "x"},
        "data": {"a": "1", "b": "1"}});
    let mut world = World::new();
    world.write("kubectl-client-side-apply", "", |o| {
        o.set("/data", json!({"a": "1", "b": "1"}));
        o.set(
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
            applied.to_string(),
        );
    });
    world.write("other", "", |o| o.set("/data/b", "2"));
    let annotation = |world: &World| -> Value {
        let text = world.at("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration");
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    };
    assert_eq!(
        world.refused("kubectl", json!({"data": {"a": "2", "b": "3"}}))["message"],
        "Apply failed with 1 conflict: conflict with \"other\" using apps/v1: .data.b"
    );
    world.apply("kubectl", json!({"data": {"a": "2"}}));
    assert_eq!(world.at("/data"), json!({"a": "2", "b": "2"}));
    assert_eq!(annotation(&world)["data"], json!({"a": "2"}));
    // Who is not kubectl does not profit.
    assert_eq!(world.refused("argocd", json!({"data": {"a": "9"}}))["code"], 409);
}

#[test]
fn refuses_a_configuration_that_is_none() {
    let mut world = World::new();
    let managed = json!({"metadata": {"managedFields": [{"manager": "x"}]}});
    let answer = world.refused("m", managed);
    assert_eq!(
        (&answer["code"], &answer["message"]),
        (&json!(400), &json!("metadata.managedFields must be nil"))
    );
    let answer = world.refused("m", json!({"kind": "Wave"}));
    assert_eq!(
        (&answer["code"], &answer["message"]),
        (&json!(400), &json!("invalid object type: apps/v1, Kind=Wave"))
    );
    for (fields, message) in [
        (
            json!({"spec": {"wave": 1}}),
            ".spec.wave: field not declared in schema",
        ),
        (replicas(1), ""),
        (
            json!({"spec": {"replicas": "1"}}),
            ".spec.replicas: expected numeric (int or float), got string",
        ),
        (
            json!({"spec": {"paused": 1}}),
            ".spec.paused: expected boolean, got &{1}",
        ),
        (
            json!({"data": {"a": 1}}),
            ".data.a: expected string, got &value.valueUnstructured{Value:1}",
        ),
        (
            pod(json!([{"name": "a"}, {"name": "a"}])),
            ".spec.template.spec.containers: duplicate entries for key [name=\"a\"]",
        ),
        (
            pod(json!([{"image": "a"}])),
            ".spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields [\"name\"] (and doesn't have default values for any key fields)",
        ),
    ] {
        if message.is_empty() {
            continue;
        }
        let answer = world.refused("m", fields);
        assert_eq!(answer["code"], 500);
        assert_eq!(
            answer["message"],
            format!("failed to create typed patch object (/x; apps/v1, Kind=Deployment): {message}")
        );
    }
}

#[test]
fn a_write_that_changes_only_times_is_none() {
    let mut world = World::new();
    world.write("a", "", |o| o.set("/data/x", "1"));
    let before = world.object.clone().unwrap();
    let mut after = before.clone();
    after.set("/metadata/managedFields/0/time", "2027-01-01T00:00:00Z");
    let mut changed = after.clone();
    changed.set("/data/x", "2");
    keep_times(&before, &mut after);
    assert_eq!(after, before);
    keep_times(&before, &mut changed);
    assert_eq!(
        changed.text("/metadata/managedFields/0/time"),
        "2027-01-01T00:00:00Z"
    );
}

#[test]
fn a_list_that_became_atomic_is_owned_as_one() {
    let mut world = World::new();
    world.apply(
        "m",
        json!({"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}),
    );
    world.object.as_mut().unwrap().set(
        "/metadata/managedFields/0/fieldsV1",
        json!({"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {".": {}, "f:a": {}}}}}}),
    );
    world.write("u", "", |o| o.set("/data/x", "1"));
    assert_eq!(
        world.owners()[0],
        r#"m Apply: {"f:spec":{"f:template":{"f:spec":{"f:nodeSelector":{}}}}}"#
    );
}
