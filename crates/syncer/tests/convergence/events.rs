//! Events of host objects, in the tenant's words.

use serde_json::{Value, json};
use warren_apimachinery::resource::{EVENTS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{HOST_NAMESPACE, World, on_host, pod, shop};

const HOST_POD: &str = "web-x-shop-x-demo";

fn event(uid: &str, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{HOST_POD}.17a"), "namespace": HOST_NAMESPACE},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": HOST_NAMESPACE, "name": HOST_POD, "uid": uid,
            "fieldPath": "spec.containers{c}"},
        "reason": "BackOff", "message": message, "type": "Warning", "count": 1,
        "source": {"component": "kubelet", "host": "node-1"}, "reportingComponent": "kubelet", "reportingInstance": "node-1",
        "firstTimestamp": "2026-11-22T10:00:00Z", "lastTimestamp": "2026-11-22T10:00:00Z"})
}

#[tokio::test]
async fn a_tenant_reads_what_happened_to_its_pod_and_no_host_name() {
    let world = World::new().await;
    let made = world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    let uid = world
        .host
        .value(&PODS, &on_host(HOST_POD))
        .text("/metadata/uid")
        .to_owned();
    let message = format!("Back-off restarting failed container c in pod {HOST_POD}_{HOST_NAMESPACE}({uid})");
    world.host.create(&EVENTS, event(&uid, &message)).await;
    world.settle().await;
    let seen = world.tenant.value(&EVENTS, &shop("web.17a"));
    let own = made.text("/metadata/uid");
    assert_eq!(
        seen.text("/message"),
        format!("Back-off restarting failed container c in pod web_shop({own})")
    );
    assert_eq!(seen.text("/involvedObject/name"), "web");
    assert_eq!(seen.text("/involvedObject/uid"), own);
    assert_eq!(seen.text("/involvedObject/fieldPath"), "spec.containers{c}");
    let patch = json!({"count": 5, "lastTimestamp": "2026-11-22T10:05:00Z"});
    world
        .host
        .patch(&EVENTS, &on_host(&format!("{HOST_POD}.17a")), Part::Main, patch)
        .await;
    world.settle().await;
    assert_eq!(
        world.tenant.value(&EVENTS, &shop("web.17a")).int("/count"),
        Some(5)
    );
    assert!(world.neighbour.list(&EVENTS).is_empty());
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn an_event_about_a_former_object_is_nobodys() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    world.host.create(&EVENTS, event("another", "x")).await;
    world.settle().await;
    assert!(world.tenant.list(&EVENTS).is_empty());
}
