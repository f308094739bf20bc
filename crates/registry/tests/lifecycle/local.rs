//! The `Cluster` port over a registry.

use std::sync::Arc;

use serde_json::json;
use warren_apimachinery::resource::{CONFIG_MAPS, DEPLOYMENTS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, ObjectKey};
use warren_reconciler::{Cluster as _, DeleteOptions, Part};
use warren_registry::LocalCluster;

use crate::cluster::{Cluster, config_map, deployment, key, pod};

#[tokio::test]
async fn an_actor_reads_what_it_wrote_and_owns_it() {
    let cluster = Cluster::new();
    let port = LocalCluster::new(Arc::clone(&cluster.registry), "kube-controller-manager");
    let mut object = deployment("d");
    object.set("/metadata/namespace", "default");
    let made = port.create(&DEPLOYMENTS, object).await.unwrap();
    let at = key("deployments", "d");
    assert_eq!(port.get(&DEPLOYMENTS, &at).unwrap().bytes(), made.bytes());
    assert_eq!(
        made.to_value().text("/metadata/managedFields/0/manager"),
        "kube-controller-manager"
    );
    let mut next = made.to_value();
    next.set("/status/replicas", 1);
    port.update(&DEPLOYMENTS, Part::Status, next.clone())
        .await
        .unwrap();
    assert_eq!(
        port.update(&DEPLOYMENTS, Part::Status, next)
            .await
            .unwrap_err()
            .code(),
        409
    );
    let patch = json!({"metadata": {"labels": {"x": "y"}}});
    let patched = port
        .merge_patch(&DEPLOYMENTS, &at, Part::Main, patch)
        .await
        .unwrap();
    assert_eq!(patched.meta().label("x"), Some("y"));
    assert_eq!(port.list(&DEPLOYMENTS, Some("default")).len(), 1);
    assert!(port.list(&DEPLOYMENTS, Some("other")).is_empty());
    port.delete(&DEPLOYMENTS, &at, DeleteOptions::default())
        .await
        .unwrap();
    assert!(port.get(&DEPLOYMENTS, &at).is_none());
}

#[tokio::test]
async fn dependents_are_found_by_their_owner() {
    let cluster = Cluster::new();
    let owner = cluster.create("configmaps", config_map("owner")).await.unwrap();
    let mut object = pod("p");
    object.set(
        "/metadata/ownerReferences",
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.text("/metadata/uid")}]),
    );
    cluster.create("pods", object).await.unwrap();
    let port = LocalCluster::new(Arc::clone(&cluster.registry), "gc");
    let found = port.dependents("default", owner.text("/metadata/uid"));
    let names: Vec<_> = found
        .iter()
        .map(|(resource, object)| (resource.to_string(), object.meta().name.as_str()))
        .collect();
    assert_eq!(names, [("pods".to_owned(), "p")]);
    assert!(port.dependents("other", owner.text("/metadata/uid")).is_empty());
}

#[tokio::test]
async fn resources_known_at_run_time_are_read_patched_and_deleted() {
    let cluster = Cluster::new();
    let foo = json!({"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": "a"}});
    cluster.create("foos", foo).await.unwrap();
    let port = LocalCluster::new(Arc::clone(&cluster.registry), "gc");
    let served = port.resources();
    let foos = GroupResource::new("ex.io", "foos");
    assert!(
        served
            .iter()
            .any(|resource| resource.resource == foos && resource.version == "v1")
    );
    let at = ObjectKey::namespaced("default", "a");
    let patched = port
        .patch_any(&foos, &at, json!({"spec": {"n": 5}}))
        .await
        .unwrap();
    assert_eq!(port.find_any(&foos, &at).unwrap().bytes(), patched.bytes());
    assert_eq!(port.list_any(&foos, None).len(), 1);
    port.delete_any(&foos, &at, DeleteOptions::default())
        .await
        .unwrap();
    assert!(port.find_any(&foos, &at).is_none());
    let nothing = GroupResource::new("no.where", "nothings");
    assert_eq!(
        port.patch_any(&nothing, &at, json!({})).await.unwrap_err().code(),
        404
    );
}

#[tokio::test]
async fn bindings_go_through_the_port() {
    let cluster = Cluster::new();
    cluster.create("pods", pod("p")).await.unwrap();
    let port = LocalCluster::new(Arc::clone(&cluster.registry), "scheduler");
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}});
    port.post(&PODS, &key("pods", "p"), "binding", binding)
        .await
        .unwrap();
    assert_eq!(
        port.get(&PODS, &key("pods", "p"))
            .unwrap()
            .to_value()
            .text("/spec/nodeName"),
        "n"
    );
    assert!(port.get(&CONFIG_MAPS, &key("configmaps", "p")).is_none());
}
