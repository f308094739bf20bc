use serde_json::{Value, json};
use warren_apimachinery::resource::{DEPLOYMENTS, PODS, REPLICA_SETS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Next;

use super::*;
use crate::fake::{FakeCluster, NOW, later};
use crate::replica_set::ReplicaSets;

const WEB: &str = "default/web";

fn deployment(replicas: i64, strategy: Value) -> Value {
    json!({"metadata": {"name": "web", "annotations": {"note": "x"}},
        "spec": {"replicas": replicas, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "web"}}, "strategy": strategy,
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "a:1"}]}}}})
}

fn rolling() -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
}

fn image(cluster: &FakeCluster, image: &str) {
    cluster.change(&DEPLOYMENTS, WEB, |value| {
        value.set("/spec/template/spec/containers/0/image", image);
        let generation = value.int("/metadata/generation").unwrap();
        value.set("/metadata/generation", generation + 1);
    });
}

async fn run(cluster: &Arc<FakeCluster>, now: &str) -> Next {
    let mut next = Next::Wait;
    for _ in 0..10 {
        next = cluster.settle(&[&Deployments, &ReplicaSets], now).await;
        cluster.run_pods(now);
    }
    next
}

fn condition(cluster: &FakeCluster, kind: &str) -> (String, String) {
    let deployment = cluster.value(&DEPLOYMENTS, WEB);
    let conditions = deployment.items("/status/conditions");
    conditions
        .iter()
        .find(|condition| condition.text("/type") == kind)
        .map(|condition| {
            (
                condition.text("/status").to_owned(),
                condition.text("/reason").to_owned(),
            )
        })
        .unwrap_or_default()
}

fn sizes(cluster: &FakeCluster) -> Vec<(String, i64)> {
    let mut sets: Vec<_> = cluster
        .values(&REPLICA_SETS)
        .iter()
        .map(|set| {
            (
                set.at("/metadata/annotations")
                    .field(revision::REVISION)
                    .as_str()
                    .unwrap()
                    .to_owned(),
                set.int("/spec/replicas").unwrap(),
            )
        })
        .collect();
    sets.sort();
    sets
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_new_deployment_becomes_available() {
    let cluster = FakeCluster::new();
    cluster.put(&DEPLOYMENTS, deployment(3, rolling()));
    let next = cluster.settle(&[&Deployments, &ReplicaSets], NOW).await;
    assert_eq!(next, Next::After(std::time::Duration::from_secs(601)));
    assert_eq!(
        condition(&cluster, "Available"),
        pair("False", "MinimumReplicasUnavailable")
    );
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("True", "ReplicaSetUpdated")
    );
    assert_eq!(run(&cluster, NOW).await, Next::Wait);
    assert_eq!(
        condition(&cluster, "Available"),
        pair("True", "MinimumReplicasAvailable")
    );
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("True", "NewReplicaSetAvailable")
    );
    let value = cluster.value(&DEPLOYMENTS, WEB);
    assert_eq!(value.at("/metadata/annotations").field(revision::REVISION), "1");
    let mut status = value.at("/status").clone();
    status.take_at("/conditions");
    assert_eq!(
        status,
        json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
        "availableReplicas": 3, "terminatingReplicas": 0})
    );
    let set = &cluster.values(&REPLICA_SETS)[0];
    let hash = set.text("/metadata/labels/pod-template-hash");
    assert_eq!(set.text("/metadata/name"), format!("web-{hash}"));
    assert_eq!(set.text("/spec/selector/matchLabels/pod-template-hash"), hash);
    assert_eq!(set.text("/spec/template/metadata/labels/pod-template-hash"), hash);
    let annotations = set.at("/metadata/annotations");
    assert_eq!(annotations.field(revision::DESIRED_REPLICAS), "3");
    assert_eq!(annotations.field(revision::MAX_REPLICAS), "4");
    assert_eq!(annotations.field("note"), "x");
    assert!(cluster.events().contains(&format!(
        "ScalingReplicaSet Scaled up replica set web-{hash} from 0 to 3"
    )));
}

#[tokio::test]
async fn a_rollout_ends_with_the_new_template_and_can_be_undone() {
    let cluster = FakeCluster::new();
    cluster.put(&DEPLOYMENTS, deployment(4, rolling()));
    run(&cluster, NOW).await;
    image(&cluster, "a:2");
    run(&cluster, NOW).await;
    assert_eq!(sizes(&cluster), [("1".to_owned(), 0), ("2".to_owned(), 4)]);
    assert!(
        cluster
            .values(&PODS)
            .iter()
            .all(|pod| pod.text("/spec/containers/0/image") == "a:2")
    );
    image(&cluster, "a:1");
    run(&cluster, NOW).await;
    assert_eq!(sizes(&cluster), [("2".to_owned(), 0), ("3".to_owned(), 4)]);
    assert_eq!(
        cluster
            .value(&DEPLOYMENTS, WEB)
            .at("/metadata/annotations")
            .field(revision::REVISION),
        "3"
    );
    assert_eq!(cluster.values(&REPLICA_SETS).len(), 2);
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("True", "NewReplicaSetAvailable")
    );
}

#[tokio::test]
async fn a_stuck_rollout_exceeds_its_deadline() {
    let cluster = FakeCluster::new();
    cluster.put(&DEPLOYMENTS, deployment(4, rolling()));
    run(&cluster, NOW).await;
    image(&cluster, "broken");
    cluster.settle(&[&Deployments, &ReplicaSets], NOW).await;
    assert_eq!(sizes(&cluster), [("1".to_owned(), 3), ("2".to_owned(), 2)]);
    cluster.settle(&[&Deployments, &ReplicaSets], &later(602)).await;
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("False", "ProgressDeadlineExceeded")
    );
    assert_eq!(
        condition(&cluster, "Available"),
        pair("True", "MinimumReplicasAvailable")
    );
}

#[tokio::test]
async fn recreate_waits_for_the_last_old_pod() {
    let cluster = FakeCluster::new();
    cluster.delete_pods_gracefully();
    cluster.put(&DEPLOYMENTS, deployment(2, json!({"type": "Recreate"})));
    run(&cluster, NOW).await;
    image(&cluster, "a:2");
    run(&cluster, NOW).await;
    assert_eq!(sizes(&cluster), [("1".to_owned(), 0)]);
    for name in cluster.names(&PODS) {
        cluster.remove(&PODS, &format!("default/{name}"));
    }
    run(&cluster, NOW).await;
    assert_eq!(sizes(&cluster), [("1".to_owned(), 0), ("2".to_owned(), 2)]);
}

#[tokio::test]
async fn a_paused_deployment_scales_but_does_not_roll() {
    let cluster = FakeCluster::new();
    cluster.put(&DEPLOYMENTS, deployment(2, rolling()));
    run(&cluster, NOW).await;
    cluster.change(&DEPLOYMENTS, WEB, |value| {
        value.set("/spec/paused", true);
        value.set("/spec/replicas", 5);
    });
    image(&cluster, "a:2");
    run(&cluster, NOW).await;
    assert_eq!(sizes(&cluster), [("1".to_owned(), 5)]);
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("Unknown", "DeploymentPaused")
    );
    cluster.change(&DEPLOYMENTS, WEB, |value| value.set("/spec/paused", false));
    run(&cluster, NOW).await;
    assert_eq!(sizes(&cluster), [("1".to_owned(), 0), ("2".to_owned(), 5)]);
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("True", "NewReplicaSetAvailable")
    );
}

#[tokio::test]
async fn history_is_cut_to_its_limit() {
    let cluster = FakeCluster::new();
    let mut value = deployment(1, rolling());
    value["spec"]["revisionHistoryLimit"] = json!(1);
    cluster.put(&DEPLOYMENTS, value);
    for version in 1..5 {
        image(&cluster, &format!("a:{version}"));
        run(&cluster, NOW).await;
    }
    assert_eq!(sizes(&cluster), [("3".to_owned(), 0), ("4".to_owned(), 1)]);
}

#[tokio::test]
async fn a_taken_name_counts_as_a_collision_and_gets_another() {
    let cluster = FakeCluster::new();
    cluster.put(&DEPLOYMENTS, deployment(1, rolling()));
    let hash = template_hash(&cluster);
    cluster.put(
        &REPLICA_SETS,
        json!({"metadata": {"name": format!("web-{hash}")},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {}}}),
    );
    run(&cluster, NOW).await;
    assert_eq!(
        cluster.value(&DEPLOYMENTS, WEB).int("/status/collisionCount"),
        Some(1)
    );
    assert_eq!(
        condition(&cluster, "Progressing"),
        pair("True", "NewReplicaSetAvailable")
    );
}

fn template_hash(cluster: &FakeCluster) -> String {
    let value = cluster.value(&DEPLOYMENTS, WEB);
    crate::template_hash::of(&replica_sets::bare_template(value.at("/spec/template")), None)
}
