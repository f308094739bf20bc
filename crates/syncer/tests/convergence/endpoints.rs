//! Endpoints and slices that a tenant writes itself.

use serde_json::{Value, json};
use warren_apimachinery::resource::{ENDPOINT_SLICES, ENDPOINTS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{World, on_host, shop};

const HOST_NAME: &str = "db-x-shop-x-demo";

fn service(selector: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"selector": selector, "ports": [{"port": 5432}]}})
}

fn endpoints() -> Value {
    json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "shop"},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 5432}]}]})
}

fn slice() -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "db-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 5432}]})
}

#[tokio::test]
async fn endpoints_of_a_service_without_selector_reach_the_host() {
    let world = World::new().await;
    world.tenant.create(&ENDPOINTS, endpoints()).await;
    world.tenant.create(&ENDPOINT_SLICES, slice()).await;
    world.settle().await;
    assert!(world.host.list(&ENDPOINTS).is_empty());
    world.tenant.create(&SERVICES, service(json!({}))).await;
    world.settle().await;
    let host = world.host.value(&ENDPOINTS, &on_host(HOST_NAME));
    assert_eq!(host.text("/subsets/0/addresses/0/ip"), "192.0.2.1");
    let host = world.host.value(&ENDPOINT_SLICES, &on_host("db-1-x-shop-x-demo"));
    assert_eq!(
        host.text("/metadata/labels/kubernetes.io~1service-name"),
        HOST_NAME
    );
    let patch = json!({"endpoints": [{"addresses": ["192.0.2.2"]}]});
    world
        .tenant
        .patch(&ENDPOINT_SLICES, &shop("db-1"), Part::Main, patch)
        .await;
    world.settle().await;
    let host = world.host.value(&ENDPOINT_SLICES, &on_host("db-1-x-shop-x-demo"));
    assert_eq!(host.text("/endpoints/0/addresses/0"), "192.0.2.2");
    world.nothing_left_to_write().await;
    world.tenant.delete(&ENDPOINTS, &shop("db"), None).await;
    world.settle().await;
    assert_eq!(world.host.find(&ENDPOINTS, &on_host(HOST_NAME)), None);
}

#[tokio::test]
async fn those_of_a_service_with_selector_are_the_hosts_own() {
    let world = World::new().await;
    world
        .tenant
        .create(&SERVICES, service(json!({"app": "db"})))
        .await;
    world.tenant.create(&ENDPOINTS, endpoints()).await;
    world.tenant.create(&ENDPOINT_SLICES, slice()).await;
    world.settle().await;
    assert!(world.host.list(&ENDPOINTS).is_empty() && world.host.list(&ENDPOINT_SLICES).is_empty());
}
