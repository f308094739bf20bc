use serde_json::{Value, json};

use super::*;
use crate::fake::{FakeCluster, NOW};
use std::sync::Arc;

fn class(cluster: &FakeCluster, mode: &str, reclaim: &str) {
    cluster.put(
        &STORAGE_CLASSES,
        json!({"metadata": {"name": "fast"}, "provisioner": "warren.dev/simulated",
        "volumeBindingMode": mode, "reclaimPolicy": reclaim}),
    );
}

fn claim(cluster: &FakeCluster, extra: Value) {
    let mut claim = json!({"metadata": {"name": "data", "uid": "claim"}, "spec": {"storageClassName": "fast",
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    for (path, value) in extra.as_object().unwrap() {
        claim.set(path, value.clone());
    }
    cluster.put(&PERSISTENT_VOLUME_CLAIMS, claim);
}

async fn settle(cluster: &Arc<FakeCluster>) {
    cluster.settle(&[&ClaimBinder, &VolumeFollower], NOW).await;
}

fn phases(cluster: &FakeCluster) -> (String, Vec<String>) {
    let claim = cluster
        .find(&PERSISTENT_VOLUME_CLAIMS, "default/data")
        .unwrap_or_default();
    let volumes = cluster.values(&PERSISTENT_VOLUMES);
    let volumes = volumes
        .iter()
        .map(|volume| volume.text("/status/phase").to_owned());
    (claim.text("/status/phase").to_owned(), volumes.collect())
}

#[tokio::test]
async fn a_claim_of_a_class_gets_a_volume_that_goes_with_it() {
    let cluster = FakeCluster::new();
    class(&cluster, "Immediate", "Delete");
    claim(&cluster, json!({}));
    settle(&cluster).await;
    assert_eq!(phases(&cluster), ("Bound".to_owned(), vec!["Bound".to_owned()]));
    let volume = cluster.value(&PERSISTENT_VOLUMES, "pvc-claim");
    assert_eq!(volume.text("/spec/claimRef/uid"), "claim");
    let value = cluster.value(&PERSISTENT_VOLUME_CLAIMS, "default/data");
    assert_eq!(value.text("/spec/volumeName"), "pvc-claim");
    assert_eq!(value.text(&annotation(BIND_COMPLETED)), "yes");
    assert_eq!(
        value.at("/status"),
        &json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}})
    );
    cluster.remove(&PERSISTENT_VOLUME_CLAIMS, "default/data");
    settle(&cluster).await;
    assert!(cluster.values(&PERSISTENT_VOLUMES).is_empty());
}

#[tokio::test]
async fn a_retained_volume_stays_released() {
    let cluster = FakeCluster::new();
    class(&cluster, "Immediate", "Retain");
    claim(&cluster, json!({}));
    settle(&cluster).await;
    cluster.remove(&PERSISTENT_VOLUME_CLAIMS, "default/data");
    settle(&cluster).await;
    assert_eq!(phases(&cluster).1, ["Released"]);
}

#[tokio::test]
async fn a_delayed_class_waits_for_the_scheduler() {
    let cluster = FakeCluster::new();
    class(&cluster, "WaitForFirstConsumer", "Delete");
    claim(&cluster, json!({}));
    let cx = cluster.context(NOW);
    let key = ObjectKey::namespaced("default", "data");
    ClaimBinder.reconcile(&cx, &key).await.unwrap();
    assert_eq!(phases(&cluster), ("Pending".to_owned(), Vec::new()));
    let waiting = "WaitForFirstConsumer waiting for first consumer to be created before binding";
    assert_eq!(cluster.events(), [waiting]);
    cluster.change(&PERSISTENT_VOLUME_CLAIMS, "default/data", |claim| {
        claim.set(&annotation(SELECTED_NODE), "node-0");
    });
    settle(&cluster).await;
    assert_eq!(phases(&cluster).0, "Bound");
}

#[tokio::test]
async fn a_volume_that_is_there_is_used_and_a_lost_one_is_told() {
    let cluster = FakeCluster::new();
    cluster.put(&PERSISTENT_VOLUMES, json!({"metadata": {"name": "disk"}, "spec": {"capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "persistentVolumeReclaimPolicy": "Retain"}}));
    class(&cluster, "Immediate", "Delete");
    cluster.settle(&[&VolumeFollower], NOW).await;
    assert_eq!(phases(&cluster).1, ["Available"]);
    claim(&cluster, json!({}));
    settle(&cluster).await;
    assert_eq!(cluster.names(&PERSISTENT_VOLUMES), ["disk"]);
    assert_eq!(phases(&cluster), ("Bound".to_owned(), vec!["Bound".to_owned()]));
    cluster.remove(&PERSISTENT_VOLUMES, "disk");
    settle(&cluster).await;
    assert_eq!(phases(&cluster).0, "Lost");
}

#[tokio::test]
async fn a_bound_claim_can_grow() {
    let cluster = FakeCluster::new();
    class(&cluster, "Immediate", "Delete");
    claim(&cluster, json!({}));
    settle(&cluster).await;
    cluster.change(&PERSISTENT_VOLUME_CLAIMS, "default/data", |claim| {
        claim.set("/spec/resources/requests/storage", "3Gi");
    });
    settle(&cluster).await;
    let claim = cluster.value(&PERSISTENT_VOLUME_CLAIMS, "default/data");
    assert_eq!(claim.text("/status/capacity/storage"), "3Gi");
}
