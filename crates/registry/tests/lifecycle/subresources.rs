//! Scale, binding, eviction, token.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;
use warren_registry::Patch;

use crate::cluster::{Cluster, deployment, key, pod, refused};

#[tokio::test]
async fn a_scale_is_read_and_written() {
    let cluster = Cluster::new();
    cluster.create("deployments", deployment("d")).await.unwrap();
    let definition = cluster.definition("deployments");
    let scale = cluster
        .registry
        .read_part(&definition, Part::Sub("scale"), &key("deployments", "d"))
        .await;
    let scale = scale.unwrap().to_value();
    assert_eq!(scale["spec"], json!({"replicas": 1}));
    assert_eq!(scale["status"], json!({"replicas": 0, "selector": "a=b"}));
    assert_eq!(
        (scale.text("/apiVersion"), scale.text("/kind")),
        ("autoscaling/v1", "Scale")
    );
    let patch = Patch::Merge(json!({"spec": {"replicas": 4}}));
    let written = cluster
        .patch("deployments", "d", Part::Sub("scale"), patch)
        .await
        .unwrap();
    assert_eq!(written.object.to_value().int("/spec/replicas"), Some(4));
    let value = cluster.value("deployments", "d");
    assert_eq!(value.int("/spec/replicas"), Some(4));
    assert_eq!(value.int("/metadata/generation"), Some(2));
    let stale = scale.clone();
    assert_eq!(
        cluster
            .update("deployments", Part::Sub("scale"), stale)
            .await
            .unwrap_err()
            .code(),
        409
    );
    let mut negative = scale;
    negative.take_at("/metadata/resourceVersion");
    negative.set("/spec/replicas", -1);
    refused(
        cluster.update("deployments", Part::Sub("scale"), negative).await,
        422,
        "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
}

fn binding(node: &str) -> Value {
    json!({"metadata": {"name": "p", "annotations": {"x": "y"}}, "target": {"kind": "Node", "name": node}})
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let cluster = Cluster::new();
    cluster.create("pods", pod("p")).await.unwrap();
    let answer = cluster.post("pods", "p", "binding", binding("n1")).await.unwrap();
    assert_eq!(answer.text("/status"), "Success");
    let value = cluster.value("pods", "p");
    assert_eq!(value.text("/spec/nodeName"), "n1");
    assert_eq!(value.text("/metadata/annotations/x"), "y");
    assert_eq!(value.text("/status/conditions/0/type"), "PodScheduled");
    assert_eq!(value.text("/status/conditions/0/status"), "True");
    refused(
        cluster.post("pods", "p", "binding", binding("n2")).await,
        409,
        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"",
    );
    refused(
        cluster.post("pods", "p", "binding", json!({"target": {}})).await,
        500,
        "target.name: Required value",
    );
}

async fn running(cluster: &Cluster, name: &str) {
    let mut object = pod(name);
    object.set("/spec/nodeName", "n");
    let mut object = cluster.create("pods", object).await.unwrap();
    object.set(
        "/status",
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
    );
    cluster.update("pods", Part::Status, object).await.unwrap();
}

async fn budget(cluster: &Cluster, allowed: i64) {
    let object = json!({"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}});
    let mut object = cluster.create("poddisruptionbudgets", object).await.unwrap();
    object.set(
        "/status",
        json!({"disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2 - allowed,
        "expectedPods": 2, "observedGeneration": 1}),
    );
    cluster
        .update("poddisruptionbudgets", Part::Status, object)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_eviction_asks_the_budget_and_counts_there() {
    let cluster = Cluster::new();
    running(&cluster, "p1").await;
    running(&cluster, "p2").await;
    budget(&cluster, 1).await;
    let eviction = json!({"metadata": {"name": "p1"}});
    cluster.post("pods", "p1", "eviction", eviction).await.unwrap();
    assert!(cluster.find("pods", "p1").unwrap().meta().deleting);
    let value = cluster.value("poddisruptionbudgets", "b");
    assert_eq!(value.int("/status/disruptionsAllowed"), Some(0));
    assert_eq!(value.text("/status/disruptedPods/p1"), "2026-11-22T10:00:00Z");
    let refusal = cluster
        .post("pods", "p2", "eviction", json!({"metadata": {"name": "p2"}}))
        .await;
    let status = refusal.clone().unwrap_err();
    let cause = &status.details().unwrap().causes[0];
    assert_eq!(cause.reason, "DisruptionBudget");
    assert_eq!(
        cause.message,
        "The disruption budget b needs 1 healthy pods and has 2 currently"
    );
    refused(
        refusal,
        429,
        "Cannot evict pod as it would violate the pod's disruption budget.",
    );
    assert!(!cluster.find("pods", "p2").unwrap().meta().deleting);
}

#[tokio::test]
async fn pods_that_do_not_run_are_evicted_without_asking() {
    let cluster = Cluster::new();
    budget(&cluster, 0).await;
    let mut pending = cluster.create("pods", pod("p")).await.unwrap();
    pending.set("/status/phase", "Pending");
    cluster.update("pods", Part::Status, pending).await.unwrap();
    cluster.post("pods", "p", "eviction", json!({})).await.unwrap();
    assert!(cluster.find("pods", "p").is_none());
}

#[tokio::test]
async fn a_token_is_issued_for_an_account_and_bound_to_its_pod() {
    let cluster = Cluster::new();
    cluster
        .create("serviceaccounts", json!({"metadata": {"name": "sa"}}))
        .await
        .unwrap();
    let short = json!({"spec": {"expirationSeconds": 1}});
    refused(
        cluster.post("serviceaccounts", "sa", "token", short).await,
        422,
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
    );
    let answer = cluster
        .post("serviceaccounts", "sa", "token", json!({"spec": {}}))
        .await
        .unwrap();
    assert_eq!(answer.text("/status/token"), "default/sa/None");
    assert_eq!(answer.text("/status/expirationTimestamp"), "2026-11-22T11:00:00Z");
    let mut stranger = pod("p");
    stranger.set("/spec/serviceAccountName", "other");
    cluster.create("pods", stranger).await.unwrap();
    let bound = json!({"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p"}}});
    refused(
        cluster.post("serviceaccounts", "sa", "token", bound).await,
        400,
        "cannot bind token for serviceaccount \"sa\" to pod running with different serviceaccount name.",
    );
}

#[tokio::test]
async fn parts_of_pods_change_nothing_else() {
    let cluster = Cluster::new();
    let mut object = cluster.create("pods", pod("p")).await.unwrap();
    object.set(
        "/spec/ephemeralContainers",
        json!([{"name": "debug", "image": "busybox"}]),
    );
    object.set("/spec/containers/0/image", "other");
    object.set("/spec/containers/0/resources", json!({"limits": {"cpu": "1"}}));
    let part = Part::Sub("ephemeralcontainers");
    let written = cluster.update("pods", part, object).await.unwrap();
    let mut value = written.object.to_value();
    assert_eq!(value.text("/spec/ephemeralContainers/0/name"), "debug");
    assert_eq!(value.text("/spec/containers/0/image"), "i");
    assert_eq!(value.at("/spec/containers/0/resources"), &json!({}));
    assert_eq!(value.int("/metadata/generation"), Some(2));
    value.set("/spec/containers/0/image", "other");
    value.set("/spec/containers/0/resources", json!({"limits": {"cpu": "1"}}));
    let written = cluster.update("pods", Part::Sub("resize"), value).await.unwrap();
    let value = written.object.to_value();
    assert_eq!(value.text("/spec/containers/0/image"), "i");
    assert_eq!(value.text("/spec/containers/0/resources/limits/cpu"), "1");
}

#[tokio::test]
async fn an_approval_takes_the_conditions_and_gives_them_times() {
    let cluster = Cluster::new();
    let object = json!({"metadata": {"name": "c"}, "spec": {"request": "eA==", "signerName": "ex.io/s"}});
    let mut object = cluster
        .create("certificatesigningrequests", object)
        .await
        .unwrap();
    object.set("/spec/signerName", "ex.io/other");
    object.set(
        "/status",
        json!({"certificate": "eA==",
        "conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}),
    );
    let part = Part::Sub("approval");
    let written = cluster
        .update("certificatesigningrequests", part, object)
        .await
        .unwrap();
    let value = written.object.to_value();
    assert_eq!(value.text("/spec/signerName"), "ex.io/s");
    assert!(value.at("/status/certificate").is_null());
    let condition = value.at("/status/conditions/0");
    assert_eq!(condition.text("/lastUpdateTime"), "2026-11-22T10:00:00Z");
    assert_eq!(condition.text("/lastTransitionTime"), "2026-11-22T10:00:00Z");
}
