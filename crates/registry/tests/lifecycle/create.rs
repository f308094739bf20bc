//! Creates.

use serde_json::json;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;
use warren_registry::admission::Operation;
use warren_registry::{FieldValidation, Patch};

use crate::cluster::{Cluster, config_map, deployment, refused};

#[tokio::test]
async fn a_created_object_has_what_the_system_gives_it() {
    let cluster = Cluster::new();
    let mut object = deployment("d");
    object.set("/metadata/uid", "mine");
    object.set("/metadata/deletionTimestamp", "2020-01-01T00:00:00Z");
    object.set("/status/replicas", 7);
    let made = cluster.create("deployments", object).await.unwrap();
    assert_eq!(made.text("/metadata/creationTimestamp"), "2026-11-22T10:00:00Z");
    assert_eq!(made.text("/metadata/uid").len(), 36);
    assert_eq!(made.text("/metadata/namespace"), "default");
    assert_eq!(made.int("/metadata/generation"), Some(1));
    assert_eq!(made.text("/metadata/resourceVersion"), "1");
    assert!(made.at("/metadata/deletionTimestamp").is_null());
    assert!(made.at("/status/replicas").is_null());
    assert_eq!(cluster.value("deployments", "d"), made);
}

#[tokio::test]
async fn names_are_generated_until_one_is_free() {
    let cluster = Cluster::new();
    let object = json!({"metadata": {"generateName": "a-"}});
    let one = cluster.create("configmaps", object.clone()).await.unwrap();
    let two = cluster.create("configmaps", object).await.unwrap();
    assert!(one.text("/metadata/name").starts_with("a-"));
    assert_eq!(one.text("/metadata/name").len(), 7);
    assert_ne!(one.text("/metadata/name"), two.text("/metadata/name"));
    assert_eq!((one.text("/apiVersion"), one.text("/kind")), ("v1", "ConfigMap"));
}

#[tokio::test]
async fn wrong_bodies_are_refused_in_upstreams_words() {
    let cluster = Cluster::new();
    let check = async |object, code, message: &str| {
        refused(cluster.create("configmaps", object).await, code, message);
    };
    check(
        json!({"apiVersion": "apps/v1", "kind": "Deployment"}),
        400,
        "Deployment in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion",
    )
    .await;
    check(
        json!({"apiVersion": "v2", "kind": "ConfigMap"}),
        400,
        "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
    )
    .await;
    check(
        json!({"metadata": {"name": "a"}, "data": {"b": 1}}),
        400,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
    )
    .await;
    check(
        json!({"metadata": {"name": "a", "namespace": "other"}}),
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    )
    .await;
    check(
        json!({"metadata": {}}),
        422,
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
    )
    .await;
    check(
        json!({"metadata": {"name": "a", "resourceVersion": "5"}}),
        500,
        "resourceVersion should not be set on objects to be created",
    )
    .await;
    check(
        json!({"metadata": {"name": "a", "finalizers": ["mine"]}}),
        422,
        "ConfigMap \"a\" is invalid: metadata.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified",
    )
    .await;
    check(
        json!({"metadata": {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]}}),
        422,
        "ConfigMap \"a\" is invalid: metadata.ownerReferences.uid: Invalid value: \"\": must not be empty",
    )
    .await;
    check(
        config_map("forbidden"),
        403,
        "configmaps \"forbidden\" is forbidden: by test",
    )
    .await;
    assert!(cluster.find("configmaps", "forbidden").is_none());
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let cluster = Cluster::new();
    cluster.create("configmaps", config_map("a")).await.unwrap();
    refused(
        cluster.create("configmaps", config_map("a")).await,
        409,
        "configmaps \"a\" already exists",
    );
}

#[tokio::test]
async fn unknown_fields_are_dropped_with_a_warning_or_refused() {
    let mut cluster = Cluster::new();
    let mut object = config_map("a");
    object.set("/bogus", 1);
    let made = cluster.create("configmaps", object.clone()).await.unwrap();
    assert!(made.get("bogus").is_none());
    assert_eq!(cluster.warnings.take(), ["unknown field \"bogus\""]);
    cluster.validation = FieldValidation::Strict;
    refused(
        cluster.create("configmaps", object).await,
        400,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"bogus\"",
    );
}

#[tokio::test]
async fn mutating_admission_changes_what_is_kept_but_not_who_owns_it() {
    let cluster = Cluster::new();
    let mut object = config_map("a");
    object.set("/metadata/labels", json!({"admit": "me"}));
    object.set("/metadata/annotations", json!({"warn": "careful"}));
    let made = cluster.create("configmaps", object).await.unwrap();
    assert_eq!(made.text("/metadata/labels/admit"), "admitted");
    assert_eq!(cluster.warnings.take(), ["careful"]);
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let mut cluster = Cluster::new();
    cluster.dry_run = true;
    let made = cluster.create("configmaps", config_map("a")).await.unwrap();
    assert_eq!(made.text("/metadata/uid").len(), 36);
    assert!(made.at("/metadata/resourceVersion").is_null());
    assert!(cluster.find("configmaps", "a").is_none());
}

#[tokio::test]
async fn nothing_new_in_a_namespace_that_goes_away() {
    let cluster = Cluster::new();
    let namespace = json!({"metadata": {"name": "default"}, "spec": {"finalizers": ["kubernetes"]}});
    cluster.create("namespaces", namespace).await.unwrap();
    cluster
        .delete("namespaces", "default", Default::default())
        .await
        .unwrap();
    let refusal = cluster.create("configmaps", config_map("a")).await;
    let status = refusal.clone().unwrap_err();
    assert_eq!(status.details().unwrap().causes[0].reason, "NamespaceTerminating");
    refused(
        refusal,
        403,
        "configmaps \"a\" is forbidden: unable to create new content in namespace default because it is being terminated",
    );
}

#[tokio::test]
async fn custom_resources_are_pruned_defaulted_and_validated_by_their_schema() {
    let cluster = Cluster::new();
    let object =
        json!({"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": "a"}, "spec": {"x": 1}});
    let made = cluster.create("foos", object).await.unwrap();
    assert_eq!(made["spec"], json!({"n": 3}));
    assert_eq!(cluster.warnings.take(), ["unknown field \"spec.x\""]);
    let object =
        json!({"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": "b"}, "spec": {"n": 9}});
    refused(
        cluster.create("foos", object).await,
        422,
        "Foo.ex.io \"b\" is invalid: spec.n: Invalid value: 9: spec.n in body should be less than or equal to 5",
    );
}

#[tokio::test]
async fn admission_hears_of_every_verb_and_part() {
    let cluster = Cluster::new();
    let mut object = cluster.create("deployments", deployment("d")).await.unwrap();
    object.set("/status/replicas", 1);
    cluster.update("deployments", Part::Status, object).await.unwrap();
    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    cluster
        .patch("deployments", "d", Part::Sub("scale"), patch)
        .await
        .unwrap();
    cluster
        .delete("deployments", "d", Default::default())
        .await
        .unwrap();
    let seen = cluster.gate.seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            (Operation::Create, None),
            (Operation::Update, Some("status".to_owned())),
            (Operation::Update, Some("scale".to_owned())),
            (Operation::Delete, None),
        ]
    );
}
