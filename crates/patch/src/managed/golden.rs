//! Objects that kube-apiserver 1.36.2 created, with the owners that it recorded.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;

use super::set::show;
use super::*;

/// One created object a line, as the server answered it.
const CREATED: &str = include_str!("../../testdata/created-objects.jsonl");

/// What the server set after it had settled who owns what: in admission, in the kind's strategy, or when it
/// allocated addresses.
const SET_LATER: &[(&str, &[&str])] = &[
    (
        "Pod",
        &[
            ".spec.preemptionPolicy",
            ".spec.priority",
            ".spec.tolerations",
            ".spec.containers[name=\"c\"].volumeMounts",
            ".spec.volumes[name=\"kube-api-access-h7xkx\"]",
        ],
    ),
    (
        "Service",
        &[
            ".spec.clusterIP",
            ".spec.healthCheckNodePort",
            ".spec.ipFamilies",
            ".spec.ipFamilyPolicy",
            ".spec.ports[port=80,protocol=\"TCP\"].nodePort",
        ],
    ),
    ("PersistentVolumeClaim", &[".metadata.finalizers"]),
    ("PersistentVolume", &[".metadata.finalizers"]),
    ("Node", &[".spec.taints"]),
    ("Namespace", &[".spec.finalizers"]),
    (
        "Job",
        &[
            ".metadata.labels.",
            ".spec.selector",
            ".spec.template.metadata.labels.batch.kubernetes.io/",
            ".spec.template.metadata.labels.controller-uid",
            ".spec.template.metadata.labels.job-name",
        ],
    ),
];

#[test]
fn a_create_is_owned_as_by_kube_apiserver() {
    let mut seen = 0;
    for line in CREATED.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        let (api_version, kind) = (object.text("/apiVersion"), object.text("/kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let definition = warren_schema::definition_for(group, version, kind).unwrap();
        let mut after = object.clone();
        after.take_at("/metadata/managedFields");
        update(OwnershipUpdate {
            schema: &warren_schema::builtin(definition).unwrap(),
            before: None,
            after: &mut after,
            manager: "golden",
            api_version,
            subresource: "",
            now: object.text("/metadata/managedFields/0/time"),
            reset: &[&["status"]],
            in_version: &|_, _, _| None,
        });
        let owned =
            |object: &Value| FieldSet::parse(object.at("/metadata/managedFields/0/fieldsV1")).unwrap();
        let (mut got, want) = (owned(&after), owned(&object));
        let later = SET_LATER
            .iter()
            .filter(|(other, _)| *other == kind)
            .flat_map(|(_, paths)| *paths);
        let is_later = |path: &str| later.clone().any(|prefix| path.starts_with(prefix));
        for path in got.difference(&want).paths() {
            if is_later(&show(&path)) {
                let mut one = FieldSet::new();
                one.insert(&path);
                got = got.difference(&one);
            }
        }
        assert_eq!(got, want, "{kind} {}", object.text("/metadata/name"));
        if !want.is_empty() && !SET_LATER.iter().any(|(other, _)| *other == kind) {
            assert_eq!(after, object, "entry and all");
            seen += 1;
        }
    }
    assert!(seen >= 28, "{seen}");
}

/// The answers to a run of requests on config maps, field managers and times included.
#[test]
fn a_run_of_applies_is_answered_as_by_kube_apiserver() {
    let schema = warren_schema::builtin("io.k8s.api.core.v1.ConfigMap").unwrap();
    let mut live: Option<Value> = None;
    let mut send = |manager: &str, force: bool, data: Value| {
        let configuration =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e2"}, "data": data});
        let outcome = apply(Apply {
            schema: &schema,
            live: live.as_ref(),
            configuration: &configuration,
            manager,
            api_version: "v1",
            kind: "ConfigMap",
            subresource: "",
            force,
            now: "2026-11-22T09:59:37Z",
            reset: &[],
            in_version: &|_, _, _| None,
        });
        let object = outcome.map_err(|e| serde_json::to_value(Status::from(e)).unwrap())?;
        let owners = object.at("/metadata/managedFields").clone();
        let answer = json!([object.at("/data"), owners]);
        live = Some(object);
        Ok(answer)
    };
    let entry = |manager: &str, fields: Value| {
        json!({"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields}, "manager": manager,
            "operation": "Apply", "time": "2026-11-22T09:59:37Z"})
    };
    assert_eq!(
        send("m1", false, json!({"a": "1"})),
        Ok(json!([{"a": "1"}, [entry("m1", json!({"f:a": {}}))]]))
    );
    assert_eq!(
        send("m2", false, json!({"a": "2"})),
        Err(json!({
            "apiVersion": "v1", "code": 409, "kind": "Status", "metadata": {}, "reason": "Conflict",
            "details": {"causes": [{
                "field": ".data.a", "message": "conflict with \"m1\"", "reason": "FieldManagerConflict"
            }]},
            "message": "Apply failed with 1 conflict: conflict with \"m1\": .data.a", "status": "Failure"
        }))
    );
    assert_eq!(
        send("m2", true, json!({"a": "2", "b": "3"})),
        Ok(json!([{"a": "2", "b": "3"}, [entry("m2", json!({"f:a": {}, "f:b": {}}))]]))
    );
    assert_eq!(
        send("m2", false, json!({"b": "3"})),
        Ok(json!([{"b": "3"}, [entry("m2", json!({"f:b": {}}))]]))
    );
}

#[test]
fn a_removal_takes_the_field_from_its_owner_and_leaves_the_time() {
    let schema = warren_schema::builtin("io.k8s.api.core.v1.ConfigMap").unwrap();
    let owned = |fields: Value| {
        json!([{"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields}, "manager": "unknown",
            "operation": "Update", "time": "2026-11-22T09:59:37Z"}])
    };
    let before = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "b": "2"},
        "metadata": {"name": "e1", "uid": "u", "managedFields": owned(json!({".": {}, "f:a": {}, "f:b": {}}))}
    });
    let mut after = before.clone();
    crate::strategic_merge(&schema, &mut after, &json!({"data": {"a": null}})).unwrap();
    update(OwnershipUpdate {
        schema: &schema,
        before: Some(&before),
        after: &mut after,
        manager: "",
        api_version: "v1",
        subresource: "",
        now: "2026-11-22T09:59:38Z",
        reset: &[],
        in_version: &|_, _, _| None,
    });
    assert_eq!(after.at("/data"), &json!({"b": "2"}));
    assert_eq!(
        after.at("/metadata/managedFields"),
        &owned(json!({".": {}, "f:b": {}}))
    );
}

#[test]
fn a_custom_resource_is_owned_from_its_root_and_unknown_fields_as_they_come() {
    let schema = warren_schema::from_json_schema(&json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {
            "hosts": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
        }}}
    }))
    .unwrap();
    let mut object = json!({
        "apiVersion": "x.io/v1", "kind": "X",
        "metadata": {"name": "x", "ownerReferences": [{"uid": "1", "name": "o"}]},
        "spec": {"hosts": ["a"], "free": {"list": [{"a": 1}], "map": {"b": {"c": 1}}}}
    });
    update(OwnershipUpdate {
        schema: &schema,
        before: None,
        after: &mut object,
        manager: "m",
        api_version: "x.io/v1",
        subresource: "",
        now: "2026-01-01T00:00:00Z",
        reset: &[],
        in_version: &|_, _, _| None,
    });
    assert_eq!(
        object.at("/metadata/managedFields/0/fieldsV1"),
        &json!({
            "f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"1\"}": {}}},
            "f:spec": {
                ".": {},
                "f:free": {".": {}, "f:list": {}, "f:map": {".": {}, "f:b": {".": {}, "f:c": {}}}},
                "f:hosts": {".": {}, "v:\"a\"": {}}
            }
        })
    );
}
