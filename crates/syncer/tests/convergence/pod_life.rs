//! Pods from before their host pod to after it: what they wait for, what they cost, and how they end.

use serde_json::{Value, json};
use warren_apimachinery::ObjectKey;
use warren_apimachinery::resource::{NODES, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::pods::run_on_host;
use crate::world::{World, data, on_host, pod, shop};

const HOST_POD: &str = "web-x-shop-x-demo";

#[tokio::test]
async fn a_pod_waits_for_what_it_refers_to_and_says_what_is_missing() {
    let world = World::new().await;
    let mut wanted = pod("web");
    wanted.set(
        "/spec/volumes",
        json!([{"name": "login", "secret": {"secretName": "login"}}]),
    );
    world.tenant.create(&PODS, wanted).await;
    world.settle().await;
    assert!(world.host.list(&PODS).is_empty());
    assert_eq!(
        world.tenant.warnings("web"),
        ["MountVolume.SetUp failed for volume \"login\" : secret \"login\" not found"]
    );
    world
        .tenant
        .create(&SECRETS, data("Secret", "login", json!({})))
        .await;
    world.settle().await;
    assert!(world.host.find(&PODS, &on_host(HOST_POD)).is_some());
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_pod_that_just_runs_costs_the_host_one_write_and_one_for_its_tokens() {
    let world = World::new().await;
    let revision = || world.host.revision().parse::<u64>().unwrap();
    let mut wanted = pod("web");
    wanted.set(
        "/spec/volumes",
        json!([{"name": "api", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}}]),
    );
    wanted.set(
        "/spec/readinessGates",
        json!([{"conditionType": "mine.example.com"}]),
    );
    wanted.set("/spec/serviceAccountName", "default");
    let before = revision();
    world.tenant.create(&PODS, wanted).await;
    world.settle().await;
    assert_eq!(revision() - before, 2);
    run_on_host(&world, HOST_POD).await;
    world.settle().await;
    // Its node and its status are the host's own doing.
    assert_eq!(revision() - before, 4);
    assert_eq!(
        world.tenant.value(&PODS, &shop("web")).text("/status/phase"),
        "Running"
    );
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_pod_that_the_host_loses_ends_as_a_disrupted_one() {
    let world = World::new().await;
    let mut job = pod("web");
    job.set(
        "/metadata/finalizers",
        json!(["batch.kubernetes.io/job-tracking"]),
    );
    world.tenant.create(&PODS, job).await;
    world.settle().await;
    run_on_host(&world, HOST_POD).await;
    world.settle().await;
    world.host.delete(&PODS, &on_host(HOST_POD), Some(0)).await;
    world.settle().await;
    let lost = world.tenant.value(&PODS, &shop("web"));
    assert!(!lost.at("/metadata/deletionTimestamp").is_null());
    assert_eq!(lost.text("/status/phase"), "Failed");
    let conditions = lost.items("/status/conditions");
    let disrupted = conditions
        .iter()
        .find(|one| one.text("/type") == "DisruptionTarget");
    assert_eq!(disrupted.map(|one| one.text("/reason")), Some("DeletionByHost"));
    let done = json!({"metadata": {"finalizers": null}});
    world.tenant.patch(&PODS, &shop("web"), Part::Main, done).await;
    world.settle().await;
    assert_eq!(world.tenant.find(&PODS, &shop("web")), None);
    assert!(world.host.list(&PODS).is_empty());
}

#[tokio::test]
async fn an_ephemeral_volume_is_the_claim_that_the_virtual_cluster_makes() {
    let world = World::new().await;
    let mut wanted = pod("web");
    wanted.set(
        "/spec/volumes",
        json!([{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}]),
    );
    let made = world.tenant.create(&PODS, wanted).await;
    world.settle().await;
    assert!(world.host.list(&PODS).is_empty());
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "web-scratch", "namespace": "shop", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod",
            "name": "web", "uid": made.text("/metadata/uid"), "controller": true}]},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}}}});
    world.tenant.create(&PERSISTENT_VOLUME_CLAIMS, claim).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert!(host.at("/spec/volumes/0/ephemeral").is_null());
    let name = host.text("/spec/volumes/0/persistentVolumeClaim/claimName");
    assert_eq!(world.host.names(&PERSISTENT_VOLUME_CLAIMS), [name]);
}

#[tokio::test]
async fn a_pod_bound_elsewhere_goes() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    let binding = json!({"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "elsewhere"}});
    world.tenant.post(&PODS, &shop("web"), "binding", binding).await;
    world.settle().await;
    let gone = |side: Option<Value>| side.is_none_or(|pod| !pod.at("/metadata/deletionTimestamp").is_null());
    assert!(gone(world.tenant.find(&PODS, &shop("web"))));
    assert!(gone(world.host.find(&PODS, &on_host(HOST_POD))));
}

#[tokio::test]
async fn where_only_some_nodes_are_for_the_tenant_its_pods_run_on_no_others() {
    let world = World::with(|spec| {
        let labels = [("pool".to_owned(), "tenants".to_owned())];
        spec.sync.from_host.nodes.selector.labels = labels.into();
    })
    .await;
    world.tenant.create(&PODS, pod("web")).await;
    let mut pinned = pod("pinned");
    pinned.set("/spec/nodeName", "of-others");
    world.tenant.create(&PODS, pinned).await;
    world.settle().await;
    assert_eq!(world.host.names(&PODS), [HOST_POD]);
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(host.at("/spec/nodeSelector"), &json!({"pool": "tenants"}));
    assert_eq!(
        world.tenant.warnings("pinned"),
        ["Given nodeName of-others does not exist in virtual cluster"]
    );
    assert_eq!(world.tenant.find(&NODES, &ObjectKey::cluster("of-others")), None);
}
