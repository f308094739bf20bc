use serde_json::{Value, json};
use warren_apimachinery::resource::{PODS, REPLICA_SETS, REPLICATION_CONTROLLERS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Status};
use warren_reconciler::Next;

use super::*;
use crate::fake::{FakeCluster, NOW, later};

fn set(replicas: i64) -> Value {
    json!({"metadata": {"name": "web", "namespace": "default", "uid": "rs"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}}})
}

#[test]
fn scale_goes_straight_to_what_is_wanted_but_in_bursts() {
    assert_eq!(scale(2, 2), Scale::Keep);
    assert_eq!(scale(0, 3), Scale::Create(3));
    assert_eq!(scale(5, 3), Scale::Delete(2));
    assert_eq!(scale(0, 2000), Scale::Create(BURST));
}

#[tokio::test]
async fn makes_pods_and_tells_when_they_are_ready_and_available() {
    let cluster = FakeCluster::new();
    let mut value = set(3);
    value["spec"]["minReadySeconds"] = json!(10);
    cluster.put(&REPLICA_SETS, value);
    cluster.settle(&[&ReplicaSets], NOW).await;
    let pods = cluster.values(&PODS);
    assert_eq!(pods.len(), 3);
    assert_eq!(
        pods[0].at("/metadata/ownerReferences/0"),
        &json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs",
            "controller": true, "blockOwnerDeletion": true})
    );
    assert_eq!(pods[0].text("/metadata/generateName"), "web-");
    cluster.run_pods(NOW);
    let next = cluster.settle(&[&ReplicaSets], NOW).await;
    assert_eq!(next, Next::After(std::time::Duration::from_secs(10)));
    assert_eq!(
        cluster.value(&REPLICA_SETS, "default/web").at("/status"),
        &json!({"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3, "terminatingReplicas": 0,
            "observedGeneration": 1})
    );
    assert_eq!(cluster.settle(&[&ReplicaSets], &later(10)).await, Next::Wait);
    assert_eq!(
        cluster
            .value(&REPLICA_SETS, "default/web")
            .int("/status/availableReplicas"),
        Some(3)
    );
}

#[tokio::test]
async fn deletes_the_surplus_and_counts_what_is_going() {
    let cluster = FakeCluster::new();
    cluster.delete_pods_gracefully();
    cluster.put(&REPLICA_SETS, set(3));
    cluster.settle(&[&ReplicaSets], NOW).await;
    cluster.run_pods(NOW);
    cluster.change(&REPLICA_SETS, "default/web", |set| set.set("/spec/replicas", 1));
    cluster.settle(&[&ReplicaSets], NOW).await;
    let status = cluster.value(&REPLICA_SETS, "default/web").at("/status").clone();
    assert_eq!(status.int("/replicas"), Some(1));
    assert_eq!(status.int("/terminatingReplicas"), Some(2));
    assert_eq!(
        cluster
            .events()
            .iter()
            .filter(|e| e.starts_with("SuccessfulDelete"))
            .count(),
        2
    );
}

#[tokio::test]
async fn adopts_what_matches_and_releases_what_does_not() {
    let cluster = FakeCluster::new();
    cluster.put(&REPLICA_SETS, set(2));
    cluster.put(
        &PODS,
        json!({"metadata": {"name": "orphan", "labels": {"app": "web"}}}),
    );
    cluster.put(
        &PODS,
        json!({"metadata": {"name": "stray", "labels": {"app": "other"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs",
            "controller": true}]}}),
    );
    cluster.settle(&[&ReplicaSets], NOW).await;
    assert_eq!(
        cluster
            .value(&PODS, "default/orphan")
            .text("/metadata/ownerReferences/0/uid"),
        "rs"
    );
    assert!(
        cluster
            .value(&PODS, "default/stray")
            .items("/metadata/ownerReferences")
            .is_empty()
    );
    assert_eq!(cluster.values(&PODS).len(), 3);
}

#[tokio::test]
async fn a_refused_pod_shows_as_replica_failure_until_one_is_made() {
    let cluster = FakeCluster::new();
    cluster.put(&REPLICA_SETS, set(1));
    let refusal = Status::forbidden(&GroupResource::new("", "pods"), "", "exceeded quota");
    cluster.refuse_creates(&PODS, refusal);
    let cx = cluster.context(NOW);
    let key = ObjectKey::namespaced("default", "web");
    let failed = ReplicaSets.reconcile(&cx, &key).await;
    assert!(matches!(failed, Err(ReconcileError::Retry(_))));
    let condition = cluster
        .value(&REPLICA_SETS, "default/web")
        .at("/status/conditions/0")
        .clone();
    assert_eq!(condition.text("/reason"), "FailedCreate");
    assert_eq!(condition.text("/message"), "pods is forbidden: exceeded quota");
    assert_eq!(
        cluster.events(),
        ["FailedCreate Error creating: pods is forbidden: exceeded quota"]
    );
    cluster.allow_creates(&PODS);
    cluster.settle(&[&ReplicaSets], NOW).await;
    assert!(
        cluster
            .value(&REPLICA_SETS, "default/web")
            .items("/status/conditions")
            .is_empty()
    );
}

#[tokio::test]
async fn a_replication_controller_works_alike_with_a_plain_selector() {
    let cluster = FakeCluster::new();
    cluster.put(
        &REPLICATION_CONTROLLERS,
        json!({"metadata": {"name": "old", "uid": "rc"},
        "spec": {"replicas": 2, "selector": {"app": "old"},
            "template": {"metadata": {"labels": {"app": "old"}}, "spec": {"containers": [{"name": "c"}]}}}}),
    );
    cluster.put(
        &PODS,
        json!({"metadata": {"name": "other", "labels": {"app": "other"}}}),
    );
    cluster.settle(&[&ReplicationControllers], NOW).await;
    assert_eq!(cluster.values(&PODS).len(), 3);
    assert!(
        cluster
            .value(&PODS, "default/other")
            .items("/metadata/ownerReferences")
            .is_empty()
    );
    assert_eq!(
        cluster
            .value(&REPLICATION_CONTROLLERS, "default/old")
            .at("/status"),
        &json!({"replicas": 2, "fullyLabeledReplicas": 2, "observedGeneration": 1})
    );
}
