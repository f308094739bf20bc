//! Services: addresses of the host, everything else of the tenant.

use serde_json::{Value, json};
use warren_apimachinery::resource::SERVICES;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{World, on_host, shop};

const HOST_SERVICE: &str = "web-x-shop-x-demo";

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
}

#[tokio::test]
async fn a_service_has_the_hosts_address_from_its_first_moment() {
    let world = World::new().await;
    let made = world.tenant.create(&SERVICES, service()).await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(made.text("/spec/clusterIP"), host.text("/spec/clusterIP"));
    assert_eq!(
        host.at("/spec/selector"),
        &json!({"app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"})
    );
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn changes_reach_the_host_and_the_load_balancer_comes_back() {
    let world = World::new().await;
    world.tenant.create(&SERVICES, service()).await;
    let patch = json!({"metadata": {"labels": {"tier": "front"}}, "spec": {"type": "LoadBalancer",
        "selector": {"app": null, "role": "web"}, "ports": [{"port": 80}, {"port": 81, "name": "b"}]}});
    let mut patch = patch;
    patch.set("/spec/ports/0/name", "a");
    let changed = world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, patch)
        .await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(host.text("/metadata/labels/tier"), "front");
    assert_eq!(host.at("/spec/ports"), changed.at("/spec/ports"));
    assert!(changed.int("/spec/ports/1/nodePort").is_some());
    assert_eq!(
        host.at("/spec/selector"),
        &json!({"role": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"})
    );
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}}});
    world
        .host
        .patch(&SERVICES, &on_host(HOST_SERVICE), Part::Status, status)
        .await;
    world.settle().await;
    let seen = world.tenant.value(&SERVICES, &shop("web"));
    assert_eq!(seen.text("/status/loadBalancer/ingress/0/ip"), "203.0.113.5");
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_service_becomes_external_and_back() {
    let world = World::new().await;
    world.tenant.create(&SERVICES, service()).await;
    let external = json!({"spec": {"type": "ExternalName", "externalName": "example.com", "clusterIP": null,
        "clusterIPs": null, "selector": null, "ports": null}});
    world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, external)
        .await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(host.text("/spec/externalName"), "example.com");
    let back = json!({"spec": {"type": "ClusterIP", "externalName": null, "ports": [{"port": 80}]}});
    let back = world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, back)
        .await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert!(!host.text("/spec/clusterIP").is_empty());
    assert_eq!(back.text("/spec/clusterIP"), host.text("/spec/clusterIP"));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn one_deleted_on_the_host_comes_back_with_its_address() {
    let world = World::new().await;
    let made = world.tenant.create(&SERVICES, service()).await;
    world.settle().await;
    world.host.delete(&SERVICES, &on_host(HOST_SERVICE), None).await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(host.text("/spec/clusterIP"), made.text("/spec/clusterIP"));
}

#[tokio::test]
async fn one_deleted_by_the_tenant_goes_from_the_host_and_a_new_one_takes_its_place() {
    let world = World::new().await;
    world.tenant.create(&SERVICES, service()).await;
    world.tenant.delete(&SERVICES, &shop("web"), None).await;
    let again = world.tenant.create(&SERVICES, service()).await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(
        host.text("/metadata/annotations/warren.dev~1object-uid"),
        again.text("/metadata/uid")
    );
    assert_eq!(host.text("/spec/clusterIP"), again.text("/spec/clusterIP"));
    world.tenant.delete(&SERVICES, &shop("web"), None).await;
    world
        .until("the host service is gone", |world| {
            world.host.find(&SERVICES, &on_host(HOST_SERVICE)).is_none()
        })
        .await;
}
