use serde_json::{Value, json};
use warren_apimachinery::resource::{CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS};
use warren_apimachinery::value::ValueExt;

use super::*;
use crate::fake::{FakeCluster, NOW};

const DB: &str = "default/db";

fn set(replicas: i64) -> Value {
    json!({"metadata": {"name": "db", "uid": "set"},
        "spec": {"replicas": replicas, "serviceName": "db", "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "db"}}, "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"},
                "spec": {"resources": {"requests": {"storage": "1Gi"}}}}],
            "template": {"metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "c", "image": "a:1"}]}}}})
}

async fn run(cluster: &Arc<FakeCluster>) {
    for _ in 0..12 {
        cluster.settle(&[&StatefulSets], NOW).await;
        cluster.run_pods(NOW);
    }
}

#[tokio::test]
async fn pods_come_in_order_with_claims_of_their_own() {
    let cluster = FakeCluster::new();
    cluster.put(&STATEFUL_SETS, set(3));
    cluster.settle(&[&StatefulSets], NOW).await;
    assert_eq!(cluster.names(&PODS), ["db-0"]);
    run(&cluster).await;
    assert_eq!(cluster.names(&PODS), ["db-0", "db-1", "db-2"]);
    assert_eq!(
        cluster.names(&PERSISTENT_VOLUME_CLAIMS),
        ["data-db-0", "data-db-1", "data-db-2"]
    );
    let revision = cluster.names(&CONTROLLER_REVISIONS).remove(0);
    let pod = cluster.value(&PODS, "default/db-1");
    assert_eq!(
        pod.at("/metadata/labels"),
        &json!({"app": "db", "statefulset.kubernetes.io/pod-name": "db-1", "apps.kubernetes.io/pod-index": "1",
            "controller-revision-hash": revision})
    );
    assert_eq!(pod.text("/spec/hostname"), "db-1");
    assert_eq!(pod.text("/spec/subdomain"), "db");
    assert_eq!(
        pod.at("/spec/volumes"),
        &json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}])
    );
    assert_eq!(
        cluster.value(&STATEFUL_SETS, DB).at("/status"),
        &json!({"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "currentReplicas": 3,
            "updatedReplicas": 3, "currentRevision": revision, "updateRevision": revision,
            "collisionCount": 0, "availableReplicas": 3})
    );
    assert!(
        cluster
            .events()
            .contains(&"SuccessfulCreate create Pod db-0 in StatefulSet db successful".to_owned())
    );
}

#[tokio::test]
async fn scaling_down_takes_the_last_and_leaves_its_claim() {
    let cluster = FakeCluster::new();
    cluster.put(&STATEFUL_SETS, set(3));
    run(&cluster).await;
    cluster.change(&STATEFUL_SETS, DB, |set| set.set("/spec/replicas", 1));
    run(&cluster).await;
    assert_eq!(cluster.names(&PODS), ["db-0"]);
    assert_eq!(cluster.names(&PERSISTENT_VOLUME_CLAIMS).len(), 3);
}

#[tokio::test]
async fn a_new_template_replaces_all_pods_and_makes_history() {
    let cluster = FakeCluster::new();
    cluster.put(&STATEFUL_SETS, set(2));
    run(&cluster).await;
    cluster.change(&STATEFUL_SETS, DB, |set| {
        set.set("/spec/template/spec/containers/0/image", "a:2")
    });
    run(&cluster).await;
    assert!(
        cluster
            .values(&PODS)
            .iter()
            .all(|pod| pod.text("/spec/containers/0/image") == "a:2")
    );
    let revisions = cluster.values(&CONTROLLER_REVISIONS);
    assert_eq!(revisions.len(), 2);
    let status = cluster.value(&STATEFUL_SETS, DB).at("/status").clone();
    assert_eq!(status.text("/currentRevision"), status.text("/updateRevision"));
    // Back to the first template: its revision is used again, as the newest.
    cluster.change(&STATEFUL_SETS, DB, |set| {
        set.set("/spec/template/spec/containers/0/image", "a:1")
    });
    run(&cluster).await;
    let mut numbers: Vec<_> = cluster
        .values(&CONTROLLER_REVISIONS)
        .iter()
        .map(|r| r.int("/revision"))
        .collect();
    numbers.sort();
    assert_eq!(numbers, [Some(2), Some(3)]);
}

#[tokio::test]
async fn below_the_partition_the_old_revision_stays() {
    let cluster = FakeCluster::new();
    cluster.put(&STATEFUL_SETS, set(3));
    run(&cluster).await;
    cluster.change(&STATEFUL_SETS, DB, |set| {
        set.set("/spec/updateStrategy/rollingUpdate/partition", 2);
        set.set("/spec/template/spec/containers/0/image", "a:2");
    });
    run(&cluster).await;
    cluster.remove(&PODS, "default/db-0");
    run(&cluster).await;
    let images: Vec<_> = cluster
        .values(&PODS)
        .iter()
        .map(|pod| pod.text("/spec/containers/0/image").to_owned())
        .collect();
    assert_eq!(images, ["a:1", "a:1", "a:2"]);
}

#[tokio::test]
async fn claims_are_owned_where_the_policy_deletes_them() {
    let cluster = FakeCluster::new();
    let mut value = set(2);
    value["spec"]["persistentVolumeClaimRetentionPolicy"] =
        json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    cluster.put(&STATEFUL_SETS, value);
    run(&cluster).await;
    let owner = |name: &str| {
        cluster
            .value(&PERSISTENT_VOLUME_CLAIMS, name)
            .text("/metadata/ownerReferences/0/kind")
            .to_owned()
    };
    assert_eq!(owner("default/data-db-1"), "StatefulSet");
    cluster.change(&STATEFUL_SETS, DB, |set| set.set("/spec/replicas", 1));
    run(&cluster).await;
    assert_eq!(owner("default/data-db-0"), "StatefulSet");
    assert_eq!(owner("default/data-db-1"), "Pod");
}
