use serde_json::json;
use warren_apimachinery::resource::CONFIG_MAPS;

use super::*;
use crate::fake::{FakeCluster, NOW};

fn going(cluster: &FakeCluster) {
    cluster.serve(&PODS);
    cluster.serve(&CONFIG_MAPS);
    cluster.put(
        &NAMESPACES,
        json!({"metadata": {"name": "shop", "deletionTimestamp": NOW},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}}),
    );
}

#[tokio::test]
async fn a_namespace_goes_with_all_its_content() {
    let cluster = FakeCluster::new();
    going(&cluster);
    cluster.put(&PODS, json!({"metadata": {"name": "a", "namespace": "shop"}}));
    cluster.put(
        &CONFIG_MAPS,
        json!({"metadata": {"name": "a", "namespace": "shop"}}),
    );
    cluster.put(
        &CONFIG_MAPS,
        json!({"metadata": {"name": "a", "namespace": "other"}}),
    );
    cluster.settle(&[&Namespaces], NOW).await;
    assert!(cluster.find(&NAMESPACES, "shop").is_none());
    assert!(cluster.values(&PODS).is_empty());
    assert_eq!(cluster.values(&CONFIG_MAPS).len(), 1);
}

#[tokio::test]
async fn what_holds_a_finalizer_holds_the_namespace_and_is_told() {
    let cluster = FakeCluster::new();
    going(&cluster);
    let held = json!({"metadata": {"name": "a", "namespace": "shop", "finalizers": ["example.com/wait"]}});
    cluster.put(&CONFIG_MAPS, held);
    assert_eq!(cluster.settle(&[&Namespaces], NOW).await, Next::After(AGAIN));
    let namespace = cluster.value(&NAMESPACES, "shop");
    let told: Vec<_> = namespace
        .items("/status/conditions")
        .iter()
        .map(|c| (c.text("/type"), c.text("/status"), c.text("/message")))
        .collect();
    assert_eq!(
        told[3],
        (
            "NamespaceContentRemaining",
            "True",
            "Some resources are remaining: configmaps. has 1 resource instances"
        )
    );
    assert_eq!(
        told[4],
        (
            "NamespaceFinalizersRemaining",
            "True",
            "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances"
        )
    );
    cluster.remove(&CONFIG_MAPS, "shop/a");
    cluster.settle(&[&Namespaces], NOW).await;
    assert!(cluster.find(&NAMESPACES, "shop").is_none());
}

#[tokio::test]
async fn pods_go_before_what_they_use() {
    let cluster = FakeCluster::new();
    going(&cluster);
    cluster.delete_pods_gracefully();
    cluster.put(&PODS, json!({"metadata": {"name": "a", "namespace": "shop"}}));
    cluster.put(
        &CONFIG_MAPS,
        json!({"metadata": {"name": "a", "namespace": "shop"}}),
    );
    cluster.settle(&[&Namespaces], NOW).await;
    assert_eq!(cluster.values(&CONFIG_MAPS).len(), 1);
    cluster.remove(&PODS, "shop/a");
    cluster.settle(&[&Namespaces], NOW).await;
    assert!(cluster.values(&CONFIG_MAPS).is_empty());
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_once_for_all_objects_of_a_kind() {
    let cluster = FakeCluster::new();
    going(&cluster);
    for name in ["a", "b", "c"] {
        cluster.put(
            &CONFIG_MAPS,
            json!({"metadata": {"name": name, "namespace": "shop"}}),
        );
    }
    cluster.refuse_deletes(&CONFIG_MAPS, Status::internal("failed calling webhook"));
    assert_eq!(cluster.settle(&[&Namespaces], NOW).await, Next::After(AGAIN));
    let namespace = cluster.value(&NAMESPACES, "shop");
    let told = namespace.items("/status/conditions").iter();
    let told: Vec<_> = told.map(|c| (c.text("/status"), c.text("/message"))).collect();
    assert_eq!(
        told[2],
        (
            "True",
            "Failed to delete all resource types, 1 remaining: Internal error occurred: failed calling webhook"
        )
    );
    assert_eq!(told[3], ("False", "All content successfully removed"));
}
