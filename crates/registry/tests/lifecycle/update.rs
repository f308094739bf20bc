//! Updates.

use serde_json::json;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::cluster::{Cluster, config_map, deployment, key, refused};

#[tokio::test]
async fn an_update_replaces_and_raises_the_revision() {
    let cluster = Cluster::new();
    let made = cluster.create("configmaps", config_map("a")).await.unwrap();
    let mut next = made.clone();
    next.set("/data", json!({"b": "2"}));
    let written = cluster.update("configmaps", Part::Main, next).await.unwrap();
    let value = written.object.to_value();
    assert!(!written.created);
    assert_eq!(value["data"], json!({"b": "2"}));
    assert_eq!(value.at("/metadata/uid"), made.at("/metadata/uid"));
    assert_eq!(value.text("/metadata/resourceVersion"), "2");
}

#[tokio::test]
async fn a_stale_revision_is_a_conflict_and_none_is_unconditional() {
    let cluster = Cluster::new();
    let made = cluster.create("configmaps", config_map("a")).await.unwrap();
    let mut first = made.clone();
    first.set("/data/a", "2");
    cluster.update("configmaps", Part::Main, first).await.unwrap();
    refused(
        cluster.update("configmaps", Part::Main, made).await,
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
    );
    cluster
        .update("configmaps", Part::Main, config_map("a"))
        .await
        .unwrap();
    assert_eq!(cluster.value("configmaps", "a").text("/data/a"), "1");
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let cluster = Cluster::new();
    cluster.create("configmaps", config_map("a")).await.unwrap();
    let before = cluster.find("configmaps", "a").unwrap();
    cluster.pass(10);
    let written = cluster
        .update("configmaps", Part::Main, config_map("a"))
        .await
        .unwrap();
    assert_eq!(written.object.bytes(), before.bytes());
}

#[tokio::test]
async fn what_does_not_fit_the_path_is_refused() {
    let cluster = Cluster::new();
    cluster.create("configmaps", config_map("a")).await.unwrap();
    refused(
        cluster.update("configmaps", Part::Main, config_map("nope")).await,
        404,
        "configmaps \"nope\" not found",
    );
    refused(
        cluster
            .put("configmaps", Part::Main, &key("configmaps", "a"), config_map("b"))
            .await,
        400,
        "the name of the object (b) does not match the name on the URL (a)",
    );
    let mut other = config_map("a");
    other.set("/metadata/uid", "x");
    let status = cluster.update("configmaps", Part::Main, other).await.unwrap_err();
    assert_eq!(status.code(), 409);
    assert!(status.message().starts_with(
        "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: x, UID in object meta: "
    ));
}

#[tokio::test]
async fn kinds_that_say_so_are_created_by_put_and_need_a_revision_afterwards() {
    let cluster = Cluster::new();
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}});
    let written = cluster.update("leases", Part::Main, lease.clone()).await.unwrap();
    assert!(written.created);
    refused(
        cluster.update("leases", Part::Main, lease).await,
        422,
        "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update",
    );
}

#[tokio::test]
async fn generation_follows_the_specification_alone() {
    let cluster = Cluster::new();
    cluster.create("deployments", deployment("d")).await.unwrap();
    let labelled = cluster
        .merge(
            "deployments",
            "d",
            json!({"metadata": {"labels": {"x": "y"}, "generation": 9}}),
        )
        .await;
    assert_eq!(labelled.unwrap().int("/metadata/generation"), Some(1));
    let scaled = cluster
        .merge("deployments", "d", json!({"spec": {"replicas": 3}}))
        .await;
    assert_eq!(scaled.unwrap().int("/metadata/generation"), Some(2));
}

#[tokio::test]
async fn main_part_and_status_are_written_apart() {
    let cluster = Cluster::new();
    let mut object = cluster.create("deployments", deployment("d")).await.unwrap();
    object.set("/status", json!({"replicas": 1}));
    object.set("/spec/replicas", 5);
    object.set("/metadata/labels", json!({"x": "y"}));
    let written = cluster.update("deployments", Part::Status, object).await.unwrap();
    let mut value = written.object.to_value();
    assert_eq!(value.int("/status/replicas"), Some(1));
    assert_eq!(value.int("/spec/replicas"), Some(1));
    assert_eq!(value.int("/metadata/generation"), Some(1));
    assert!(value.at("/metadata/labels").is_null());
    value.take_at("/status");
    value.set("/spec/replicas", 2);
    let written = cluster.update("deployments", Part::Main, value).await.unwrap();
    assert_eq!(written.object.to_value().int("/status/replicas"), Some(1));
}

#[tokio::test]
async fn the_last_finalizer_of_a_deleted_object_takes_it_away() {
    let cluster = Cluster::new();
    let mut object = config_map("a");
    object.set("/metadata/finalizers", json!(["ex.io/a", "ex.io/b"]));
    cluster.create("configmaps", object).await.unwrap();
    cluster
        .delete("configmaps", "a", Default::default())
        .await
        .unwrap();
    refused(
        cluster
            .merge(
                "configmaps",
                "a",
                json!({"metadata": {"finalizers": ["ex.io/a", "ex.io/c"]}}),
            )
            .await,
        422,
        "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"ex.io/c\"}",
    );
    cluster
        .merge(
            "configmaps",
            "a",
            json!({"metadata": {"finalizers": ["ex.io/a"]}}),
        )
        .await
        .unwrap();
    assert!(cluster.find("configmaps", "a").is_some());
    cluster
        .merge("configmaps", "a", json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    assert!(cluster.find("configmaps", "a").is_none());
}

#[tokio::test]
async fn many_writers_without_revisions_all_get_through() {
    let cluster = std::sync::Arc::new(Cluster::new());
    cluster.create("configmaps", config_map("a")).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let cluster = std::sync::Arc::clone(&cluster);
            tokio::spawn(async move {
                let mut object = config_map("a");
                object.set("/data/a", writer.to_string());
                cluster.update("configmaps", Part::Main, object).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}
