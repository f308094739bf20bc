//! Deletions.

use serde_json::json;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::{DeleteOptions, Part, Propagation};
use warren_registry::Deleted;

use crate::cluster::{Cluster, config_map, deployment, pod, refused};

fn grace(seconds: i64) -> DeleteOptions {
    DeleteOptions {
        grace_period_seconds: Some(seconds),
        ..DeleteOptions::default()
    }
}

#[tokio::test]
async fn a_plain_object_goes_at_once_and_is_answered_with_a_status() {
    let mut cluster = Cluster::new();
    let made = cluster.create("configmaps", config_map("a")).await.unwrap();
    cluster.dry_run = true;
    cluster
        .delete("configmaps", "a", DeleteOptions::default())
        .await
        .unwrap();
    assert!(cluster.find("configmaps", "a").is_some());
    cluster.dry_run = false;
    let Deleted::Gone(details) = cluster
        .delete("configmaps", "a", DeleteOptions::default())
        .await
        .unwrap()
    else {
        panic!("a config map is answered with a status");
    };
    assert_eq!(
        (details.kind.as_str(), details.name.as_str()),
        ("configmaps", "a")
    );
    assert_eq!(details.uid, made.text("/metadata/uid"));
    assert!(cluster.find("configmaps", "a").is_none());
    refused(
        cluster.delete("configmaps", "a", DeleteOptions::default()).await,
        404,
        "configmaps \"a\" not found",
    );
}

#[tokio::test]
async fn preconditions_are_looked_at() {
    let cluster = Cluster::new();
    let made = cluster.create("configmaps", config_map("a")).await.unwrap();
    let options = DeleteOptions {
        uid: Some("x".to_owned()),
        ..DeleteOptions::default()
    };
    let message = format!(
        "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not match the UID in record ({}). The object might have been deleted and then recreated",
        made.text("/metadata/uid")
    );
    refused(cluster.delete("configmaps", "a", options).await, 409, &message);
    let options = DeleteOptions {
        resource_version: Some("9".to_owned()),
        ..DeleteOptions::default()
    };
    assert_eq!(
        cluster
            .delete("configmaps", "a", options)
            .await
            .unwrap_err()
            .code(),
        409
    );
}

#[tokio::test]
async fn propagation_leaves_its_finalizer() {
    let cluster = Cluster::new();
    for (name, propagation, finalizer) in [
        ("orphan", Propagation::Orphan, "orphan"),
        ("foreground", Propagation::Foreground, "foregroundDeletion"),
    ] {
        cluster.create("deployments", deployment(name)).await.unwrap();
        let options = DeleteOptions {
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        let deleted = cluster.delete("deployments", name, options).await.unwrap();
        let Deleted::Marked(object) = deleted else {
            panic!("{name} is marked");
        };
        let value = object.to_value();
        assert_eq!(value.at("/metadata/finalizers"), &json!([finalizer]));
        assert_eq!(value.text("/metadata/deletionTimestamp"), "2026-11-22T10:00:00Z");
        assert_eq!(value.int("/metadata/deletionGracePeriodSeconds"), Some(0));
        assert_eq!(value.int("/metadata/generation"), Some(2));
        let again = cluster
            .delete("deployments", name, DeleteOptions::default())
            .await
            .unwrap();
        assert!(matches!(again, Deleted::Marked(same) if same.bytes() == object.bytes()));
    }
    cluster
        .create("deployments", deployment("background"))
        .await
        .unwrap();
    let options = DeleteOptions {
        propagation: Some(Propagation::Background),
        ..DeleteOptions::default()
    };
    cluster
        .delete("deployments", "background", options)
        .await
        .unwrap();
    assert!(cluster.find("deployments", "background").is_none());
}

#[tokio::test]
async fn a_pod_on_a_node_gets_its_grace_and_only_a_shorter_one_later() {
    let cluster = Cluster::new();
    let mut bound = pod("p");
    bound.set("/spec/nodeName", "n");
    cluster.create("pods", bound).await.unwrap();
    let Deleted::Marked(object) = cluster
        .delete("pods", "p", DeleteOptions::default())
        .await
        .unwrap()
    else {
        panic!("the pod is marked");
    };
    let value = object.to_value();
    assert_eq!(value.text("/metadata/deletionTimestamp"), "2026-11-22T10:00:30Z");
    assert_eq!(value.int("/metadata/deletionGracePeriodSeconds"), Some(30));
    cluster.pass(5);
    cluster.delete("pods", "p", grace(60)).await.unwrap();
    assert_eq!(cluster.find("pods", "p").unwrap().bytes(), object.bytes());
    cluster.delete("pods", "p", grace(10)).await.unwrap();
    let value = cluster.value("pods", "p");
    assert_eq!(value.text("/metadata/deletionTimestamp"), "2026-11-22T10:00:10Z");
    assert_eq!(value.int("/metadata/deletionGracePeriodSeconds"), Some(10));
    let deleted = cluster.delete("pods", "p", grace(0)).await.unwrap();
    assert!(matches!(deleted, Deleted::Last(_)));
    assert!(cluster.find("pods", "p").is_none());
}

#[tokio::test]
async fn a_pod_without_a_node_goes_at_once_unless_it_is_held() {
    let cluster = Cluster::new();
    cluster.create("pods", pod("p")).await.unwrap();
    cluster
        .delete("pods", "p", DeleteOptions::default())
        .await
        .unwrap();
    assert!(cluster.find("pods", "p").is_none());
    let mut held = pod("held");
    held.set("/metadata/finalizers", json!(["ex.io/a"]));
    cluster.create("pods", held).await.unwrap();
    cluster
        .delete("pods", "held", DeleteOptions::default())
        .await
        .unwrap();
    assert!(cluster.find("pods", "held").unwrap().meta().deleting);
    cluster
        .merge("pods", "held", json!({"metadata": {"finalizers": []}}))
        .await
        .unwrap();
    assert!(cluster.find("pods", "held").is_none());
}

#[tokio::test]
async fn a_namespace_terminates_until_it_is_finalized() {
    let cluster = Cluster::new();
    let namespace = json!({"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}});
    cluster.create("namespaces", namespace).await.unwrap();
    cluster
        .delete("namespaces", "n", DeleteOptions::default())
        .await
        .unwrap();
    let mut value = cluster.value("namespaces", "n");
    assert_eq!(value.text("/status/phase"), "Terminating");
    assert!(value.at("/metadata/deletionGracePeriodSeconds").is_null());
    let again = cluster
        .delete("namespaces", "n", DeleteOptions::default())
        .await
        .unwrap();
    assert!(matches!(again, Deleted::Marked(_)));
    value.take_at("/spec/finalizers");
    cluster
        .update("namespaces", Part::Sub("finalize"), value)
        .await
        .unwrap();
    assert!(cluster.find("namespaces", "n").is_none());
}

#[tokio::test]
async fn a_collection_goes_as_far_as_it_is_meant() {
    let cluster = Cluster::new();
    for name in ["a1", "a2", "b1"] {
        cluster.create("configmaps", config_map(name)).await.unwrap();
    }
    let definition = cluster.definition("configmaps");
    let user = warren_apimachinery::UserInfo::system("t");
    let cx = warren_registry::Request::new(&user, "t", "v1", &cluster.warnings);
    let snapshot = cluster.registry.store().snapshot();
    let meant: Vec<_> = snapshot
        .list(&definition.storage, Some("default"))
        .filter(|object| object.meta().name.starts_with('a'))
        .cloned()
        .collect();
    cluster
        .registry
        .delete_each(&cx, &definition, &meant, &DeleteOptions::default())
        .await
        .unwrap();
    assert!(cluster.find("configmaps", "a1").is_none());
    assert!(cluster.find("configmaps", "b1").is_some());
}
