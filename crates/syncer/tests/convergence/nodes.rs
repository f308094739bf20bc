//! Nodes: those that a virtual cluster uses.

use serde_json::{Value, json};
use warren_apimachinery::ObjectKey;
use warren_apimachinery::resource::{DAEMON_SETS, NODES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{World, on_host, pod, shop};

async fn add_node(world: &World, name: &str) {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name,
        "labels": {"kubernetes.io/hostname": name, "rack": "7"}}});
    world.host.create(&NODES, node).await;
    let status = json!({"status": {"allocatable": {"cpu": "4"}, "capacity": {"cpu": "4"},
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T10:00:00Z",
            "lastHeartbeatTime": "2026-11-22T10:00:00Z"}]}});
    world
        .host
        .patch(&NODES, &ObjectKey::cluster(name), Part::Status, status)
        .await;
}

fn daemon_set() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": {"metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "c", "image": "agent:1"}]}}}})
}

#[tokio::test]
async fn a_node_is_shown_while_a_pod_of_the_tenant_is_on_it() {
    let world = World::new().await;
    for name in ["node-1", "node-2"] {
        add_node(&world, name).await;
    }
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    assert!(world.tenant.list(&NODES).is_empty());
    let name = "web-x-shop-x-demo";
    let binding = json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": "node-1"}});
    world.host.post(&PODS, &on_host(name), "binding", binding).await;
    world.settle().await;
    assert_eq!(world.tenant.names(&NODES), ["node-1"]);
    let node = world.tenant.value(&NODES, &ObjectKey::cluster("node-1"));
    assert_eq!(node.text("/status/allocatable/cpu"), "4");
    assert!(node.at("/metadata/labels/rack").is_null());
    world.nothing_left_to_write().await;
    world.tenant.delete(&PODS, &shop("web"), Some(0)).await;
    world.settle().await;
    assert!(world.tenant.list(&NODES).is_empty());
    assert!(world.neighbour.list(&NODES).is_empty());
}

#[tokio::test]
async fn a_heartbeat_writes_nothing() {
    let world = World::with(|spec| {
        spec.sync.from_host.nodes.enabled = true;
        spec.sync.from_host.nodes.selector.all = true;
    })
    .await;
    add_node(&world, "node-1").await;
    world.settle().await;
    let before = world.tenant.revision();
    let beat = json!({"status": {"conditions": [{"type": "Ready", "status": "True",
        "lastTransitionTime": "2026-11-22T10:00:00Z", "lastHeartbeatTime": "2026-11-22T10:00:10Z"}]}});
    world
        .host
        .patch(&NODES, &ObjectKey::cluster("node-1"), Part::Status, beat)
        .await;
    world.settle().await;
    assert_eq!(world.tenant.revision(), before);
    assert_eq!(
        world
            .tenant
            .value(&NODES, &ObjectKey::cluster("node-1"))
            .text("/metadata/labels/rack"),
        "7"
    );
}

#[tokio::test]
async fn a_daemon_set_sees_every_node() {
    let world = World::new().await;
    for name in ["node-1", "node-2"] {
        add_node(&world, name).await;
    }
    world.tenant.create(&DAEMON_SETS, daemon_set()).await;
    world.settle().await;
    assert_eq!(world.tenant.names(&NODES), ["node-1", "node-2"]);
    add_node(&world, "node-3").await;
    world
        .host
        .delete(&NODES, &ObjectKey::cluster("node-1"), None)
        .await;
    world.settle().await;
    assert_eq!(world.tenant.names(&NODES), ["node-2", "node-3"]);
    world.tenant.delete(&DAEMON_SETS, &shop("agent"), None).await;
    world.settle().await;
    assert!(world.tenant.list(&NODES).is_empty());
}

#[tokio::test]
async fn only_nodes_with_the_configured_labels_are_shown() {
    let world = World::with(|spec| {
        let nodes = &mut spec.sync.from_host.nodes;
        nodes.enabled = true;
        nodes.selector.labels = [("rack".to_owned(), "7".to_owned())].into();
    })
    .await;
    add_node(&world, "node-1").await;
    world.settle().await;
    assert_eq!(world.tenant.names(&NODES), ["node-1"]);
    let other = json!({"metadata": {"labels": {"rack": "8"}}});
    world
        .host
        .patch(&NODES, &ObjectKey::cluster("node-1"), Part::Main, other)
        .await;
    world.settle().await;
    assert!(world.tenant.list(&NODES).is_empty());
}

#[tokio::test]
async fn labels_and_taints_go_back_where_the_configuration_lets_them() {
    for back in [true, false] {
        let world = World::with(|spec| {
            let nodes = &mut spec.sync.from_host.nodes;
            nodes.enabled = true;
            nodes.selector.all = true;
            nodes.sync_back_changes = back;
        })
        .await;
        add_node(&world, "node-1").await;
        world.settle().await;
        let key = ObjectKey::cluster("node-1");
        let mine = json!({"metadata": {"labels": {"mine": "m"}},
            "spec": {"taints": [{"key": "own", "effect": "NoSchedule"}]}});
        world.tenant.patch(&NODES, &key, Part::Main, mine).await;
        world.settle().await;
        let host = world.host.value(&NODES, &key);
        assert_eq!(host.text("/metadata/labels/mine") == "m", back);
        assert_eq!(host.items("/spec/taints").len() == 1, back);
        let node = world.tenant.value(&NODES, &key);
        assert_eq!(node.text("/metadata/labels/mine"), "m");
        assert_eq!(node.items("/spec/taints").len(), 1);
        world.nothing_left_to_write().await;
    }
}
