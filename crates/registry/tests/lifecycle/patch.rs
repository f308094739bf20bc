//! Patches.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;
use warren_registry::{FieldValidation, Patch};

use crate::cluster::{Cluster, config_map, deployment, refused};

fn apply(configuration: Value) -> Patch {
    Patch::Apply {
        configuration,
        force: false,
    }
}

#[tokio::test]
async fn the_three_old_patches_change_what_they_say() {
    let cluster = Cluster::new();
    cluster.create("configmaps", config_map("a")).await.unwrap();
    let merged = cluster
        .merge("configmaps", "a", json!({"data": {"b": "2"}}))
        .await
        .unwrap();
    assert_eq!(merged["data"], json!({"a": "1", "b": "2"}));
    let operations = json!([{"op": "remove", "path": "/data/b"}]);
    let written = cluster
        .patch("configmaps", "a", Part::Main, Patch::Json(operations))
        .await
        .unwrap();
    assert_eq!(written.object.to_value()["data"], json!({"a": "1"}));
    cluster.create("deployments", deployment("d")).await.unwrap();
    let containers = json!({"spec": {"template": {"spec": {"containers": [{"name": "d", "image": "j"}]}}}});
    let patch = Patch::Strategic(containers);
    let written = cluster
        .patch("deployments", "d", Part::Main, patch)
        .await
        .unwrap();
    assert_eq!(
        written
            .object
            .to_value()
            .items("/spec/template/spec/containers")
            .len(),
        2
    );
}

#[tokio::test]
async fn patches_that_do_not_fit_are_refused_in_upstreams_words() {
    let mut cluster = Cluster::new();
    cluster.create("configmaps", config_map("a")).await.unwrap();
    refused(
        cluster.merge("configmaps", "nope", json!({})).await,
        404,
        "configmaps \"nope\" not found",
    );
    let test = json!([{"op": "test", "path": "/data/a", "value": "9"}]);
    refused(
        cluster
            .patch("configmaps", "a", Part::Main, Patch::Json(test))
            .await,
        422,
        "the server rejected our request due to an error in our request",
    );
    refused(
        cluster
            .merge("configmaps", "a", json!({"metadata": {"uid": "x"}}))
            .await,
        422,
        "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"x\": field is immutable",
    );
    refused(
        cluster
            .merge("configmaps", "a", json!({"metadata": {"name": "b"}}))
            .await,
        400,
        "the name of the object (b) does not match the name on the URL (a)",
    );
    refused(
        cluster
            .merge("configmaps", "a", json!({"metadata": {"resourceVersion": "77"}}))
            .await,
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
    );
    cluster.validation = FieldValidation::Strict;
    let status = cluster
        .merge("configmaps", "a", json!({"nope": 1}))
        .await
        .unwrap_err();
    assert_eq!(status.code(), 422);
    assert!(
        status
            .message()
            .starts_with(" \"\" is invalid: patch: Invalid value: "),
        "{status}"
    );
}

#[tokio::test]
async fn apply_creates_conflicts_and_takes_over() {
    let mut cluster = Cluster::new();
    let one = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e"}, "data": {"a": "1"}});
    let two = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e"}, "data": {"a": "2"}});
    cluster.manager = "m1";
    let written = cluster
        .patch("configmaps", "e", Part::Main, apply(one.clone()))
        .await
        .unwrap();
    assert!(written.created);
    let fields = written.object.to_value();
    let owner = fields.at("/metadata/managedFields/0");
    assert_eq!(
        (owner.text("/manager"), owner.text("/operation")),
        ("m1", "Apply")
    );
    assert_eq!(owner["fieldsV1"], json!({"f:data": {"f:a": {}}}));
    cluster.pass(5);
    let again = cluster
        .patch("configmaps", "e", Part::Main, apply(one))
        .await
        .unwrap();
    assert_eq!(again.object.bytes(), written.object.bytes());
    cluster.manager = "m2";
    refused(
        cluster
            .patch("configmaps", "e", Part::Main, apply(two.clone()))
            .await,
        409,
        "Apply failed with 1 conflict: conflict with \"m1\": .data.a",
    );
    let forced = Patch::Apply {
        configuration: two,
        force: true,
    };
    let written = cluster
        .patch("configmaps", "e", Part::Main, forced)
        .await
        .unwrap();
    assert!(!written.created);
    assert_eq!(written.object.to_value().text("/data/a"), "2");
}

#[tokio::test]
async fn concurrent_patches_all_land() {
    let cluster = std::sync::Arc::new(Cluster::new());
    cluster.create("configmaps", config_map("a")).await.unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let cluster = std::sync::Arc::clone(&cluster);
            let patch = json!({"data": {format!("k{writer}"): "v"}});
            tokio::spawn(async move { cluster.merge("configmaps", "a", patch).await.unwrap() })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(
        cluster.value("configmaps", "a")["data"]
            .as_object()
            .unwrap()
            .len(),
        5
    );
}

#[tokio::test]
async fn a_dry_run_answers_and_keeps_nothing() {
    let mut cluster = Cluster::new();
    cluster.create("configmaps", config_map("a")).await.unwrap();
    cluster.dry_run = true;
    let patched = cluster
        .merge("configmaps", "a", json!({"data": {"b": "2"}}))
        .await
        .unwrap();
    assert_eq!(patched.text("/data/b"), "2");
    assert_eq!(patched.text("/metadata/resourceVersion"), "1");
    assert!(cluster.value("configmaps", "a").at("/data/b").is_null());
}
