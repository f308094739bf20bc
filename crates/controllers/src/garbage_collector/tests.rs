use serde_json::{Value, json};
use warren_apimachinery::resource::{CLUSTER_ROLES, CONFIG_MAPS, DEPLOYMENTS, PODS, REPLICA_SETS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Propagation;

use super::*;
use crate::fake::{FakeCluster, NOW};

/// Deployment `d` owns ReplicaSet `r`, which owns pods `p` and `q`.
fn family() -> Arc<FakeCluster> {
    let cluster = FakeCluster::new();
    for resource in [&DEPLOYMENTS, &REPLICA_SETS, &PODS, &CONFIG_MAPS, &CLUSTER_ROLES] {
        cluster.serve(resource);
    }
    cluster.put(&DEPLOYMENTS, json!({"metadata": {"name": "d", "uid": "d"}}));
    cluster.put(
        &REPLICA_SETS,
        json!({"metadata": {"name": "r", "uid": "r",
        "ownerReferences": [owned("apps/v1", "Deployment", "d")]}}),
    );
    for pod in ["p", "q"] {
        cluster.put(
            &PODS,
            json!({"metadata": {"name": pod, "uid": pod,
            "ownerReferences": [owned("apps/v1", "ReplicaSet", "r")]}}),
        );
    }
    cluster
}

fn owned(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": name, "controller": true,
        "blockOwnerDeletion": true})
}

async fn delete(cluster: &Arc<FakeCluster>, propagation: Propagation) {
    let options = DeleteOptions {
        propagation: Some(propagation),
        ..DeleteOptions::default()
    };
    cluster
        .delete(&DEPLOYMENTS, &ObjectKey::namespaced("default", "d"), options)
        .await
        .unwrap();
    cluster.settle(&[&GarbageCollector], NOW).await;
}

#[tokio::test]
async fn background_deletion_takes_the_whole_family() {
    let cluster = family();
    cluster.settle(&[&GarbageCollector], NOW).await;
    assert_eq!(cluster.values(&PODS).len(), 2);
    delete(&cluster, Propagation::Background).await;
    assert!(cluster.values(&REPLICA_SETS).is_empty());
    assert!(cluster.values(&PODS).is_empty());
}

#[tokio::test]
async fn foreground_deletion_takes_the_children_first() {
    let cluster = family();
    cluster.delete_pods_gracefully();
    delete(&cluster, Propagation::Foreground).await;
    assert!(
        cluster
            .value(&PODS, "default/p")
            .at("/metadata/deletionTimestamp")
            .is_string()
    );
    assert_eq!(
        cluster
            .value(&REPLICA_SETS, "default/r")
            .at("/metadata/finalizers"),
        &json!([FOREGROUND])
    );
    assert!(cluster.find(&DEPLOYMENTS, "default/d").is_some());
    cluster.remove(&PODS, "default/p");
    cluster.remove(&PODS, "default/q");
    cluster.settle(&[&GarbageCollector], NOW).await;
    assert!(cluster.values(&REPLICA_SETS).is_empty());
    assert!(cluster.values(&DEPLOYMENTS).is_empty());
}

#[tokio::test]
async fn a_circle_of_owners_does_not_wait_for_itself() {
    let cluster = FakeCluster::new();
    cluster.serve(&PODS);
    for (name, owner) in [("a", "c"), ("b", "a"), ("c", "b")] {
        cluster.put(
            &PODS,
            json!({"metadata": {"name": name, "uid": name, "ownerReferences": [owned("v1", "Pod", owner)]}}),
        );
    }
    let options = DeleteOptions {
        propagation: Some(Propagation::Foreground),
        ..DeleteOptions::default()
    };
    cluster
        .delete(&PODS, &ObjectKey::namespaced("default", "a"), options)
        .await
        .unwrap();
    cluster.settle(&[&GarbageCollector], NOW).await;
    assert!(cluster.values(&PODS).is_empty());
}

#[tokio::test]
async fn orphans_stay_without_their_owner() {
    let cluster = family();
    delete(&cluster, Propagation::Orphan).await;
    assert!(cluster.values(&DEPLOYMENTS).is_empty());
    assert!(
        cluster
            .value(&REPLICA_SETS, "default/r")
            .items("/metadata/ownerReferences")
            .is_empty()
    );
    assert_eq!(cluster.values(&PODS).len(), 2);
}

#[tokio::test]
async fn one_owner_that_stays_is_enough() {
    let cluster = family();
    cluster.put(
        &CONFIG_MAPS,
        json!({"metadata": {"name": "c", "ownerReferences":
        [owned("apps/v1", "Deployment", "d"), owned("v1", "Pod", "gone")]}}),
    );
    cluster.settle(&[&GarbageCollector], NOW).await;
    let owners = cluster.value(&CONFIG_MAPS, "default/c");
    assert_eq!(owners.items("/metadata/ownerReferences").len(), 1);
}

#[tokio::test]
async fn an_owner_of_an_unknown_kind_keeps_and_one_in_another_namespace_does_not() {
    let cluster = family();
    let of = |name: &str, owner: Value| json!({"metadata": {"name": name, "namespace": "x", "ownerReferences": [owner]}});
    cluster.put(
        &CONFIG_MAPS,
        of("unknown", owned("example.com/v1", "Widget", "w")),
    );
    cluster.put(&CONFIG_MAPS, of("stray", owned("apps/v1", "Deployment", "d")));
    let role =
        json!({"metadata": {"name": "role", "ownerReferences": [owned("apps/v1", "Deployment", "d")]}});
    cluster.put(&CLUSTER_ROLES, role);
    cluster.settle(&[&GarbageCollector], NOW).await;
    assert_eq!(cluster.names(&CONFIG_MAPS), ["unknown"]);
    assert_eq!(cluster.names(&CLUSTER_ROLES), ["role"]);
    let told = cluster.events();
    assert_eq!(
        told.iter()
            .filter(|event| event.starts_with("OwnerRefInvalidNamespace"))
            .count(),
        2
    );
}
