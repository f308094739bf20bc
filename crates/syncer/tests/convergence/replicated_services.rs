//! Services that are there on the other side, too.

use serde_json::{Value, json};
use warren_apimachinery::resource::{ENDPOINT_SLICES, NAMESPACES, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::ServiceMapping;
use warren_reconciler::Part;

use crate::world::{Side, World, on_host, shop};

fn mapping(from: &str, to: &str) -> ServiceMapping {
    ServiceMapping {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

fn service(namespace: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// What a slice leads to, by its Service.
fn leads_to(side: &Side, service: &ObjectKey) -> Vec<(String, String)> {
    let label = |slice: &Value| {
        slice
            .at("/metadata/labels")
            .field("kubernetes.io/service-name")
            .clone()
    };
    let all = side.list(&ENDPOINT_SLICES).into_iter().filter(|slice| {
        slice.text("/metadata/namespace") == service.namespace && label(slice) == service.name.as_str()
    });
    all.map(|slice| {
        let to = slice.text("/endpoints/0/addresses/0").to_owned();
        (to, slice.text("/endpoints/0/hostname").to_owned())
    })
    .collect()
}

fn absent(side: &Side, resource: &Resource, key: &ObjectKey) {
    assert_eq!(side.find(resource, key), None);
}

async fn platform() -> World {
    let world = World::with(|spec| {
        spec.networking.replicate_services.from_host = vec![
            mapping("platform/db", "data/postgres"),
            mapping("local", "shop/local"),
        ];
    })
    .await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "platform"}});
    world.host.create(&NAMESPACES, namespace).await;
    world
}

fn data(name: &str) -> ObjectKey {
    ObjectKey::namespaced("data", name)
}

#[tokio::test]
async fn a_service_of_the_host_is_shown_with_what_leads_to_it() {
    let world = platform().await;
    let spec =
        json!({"type": "NodePort", "selector": {"app": "db"}, "ports": [{"name": "sql", "port": 5432}]});
    let host = world
        .host
        .create(&SERVICES, service("platform", "db", spec))
        .await;
    world.settle().await;
    let seen = world.tenant.value(&SERVICES, &data("postgres"));
    assert_eq!(seen.text("/spec/clusterIP"), "None");
    assert_eq!(
        (
            seen.int("/spec/ports/0/port"),
            seen.at("/spec/ports/0/nodePort"),
            seen.at("/spec/selector")
        ),
        (Some(5432), &Value::Null, &Value::Null)
    );
    let address = host.text("/spec/clusterIP").to_owned();
    assert_eq!(
        leads_to(&world.tenant, &data("postgres")),
        [(address, String::new())]
    );
    assert!(
        world
            .tenant
            .find(&NAMESPACES, &ObjectKey::cluster("data"))
            .is_some()
    );
    // Nothing of it comes back to the host.
    absent(&world.host, &SERVICES, &on_host("postgres-x-data-x-demo"));
    world.nothing_left_to_write().await;
    let ports = json!({"spec": {"ports": [{"name": "sql", "port": 5433}]}});
    world
        .host
        .patch(&SERVICES, &host_key("db"), Part::Main, ports)
        .await;
    world.settle().await;
    let seen = world.tenant.value(&SERVICES, &data("postgres"));
    assert_eq!(seen.int("/spec/ports/0/port"), Some(5433));
    world.nothing_left_to_write().await;
    world.tenant.delete(&SERVICES, &data("postgres"), None).await;
    world.settle().await;
    assert!(
        world.tenant.find(&SERVICES, &data("postgres")).is_some(),
        "it is shown again"
    );
    world.host.delete(&SERVICES, &host_key("db"), None).await;
    world.settle().await;
    absent(&world.tenant, &SERVICES, &data("postgres"));
    assert!(leads_to(&world.tenant, &data("postgres")).is_empty());
    world.nothing_left_to_write().await;
}

fn host_key(name: &str) -> ObjectKey {
    ObjectKey::namespaced("platform", name)
}

#[tokio::test]
async fn a_headless_service_of_the_host_is_shown_by_its_endpoints() {
    let world = platform().await;
    let spec = json!({"clusterIP": "None", "ports": [{"port": 5432}]});
    world
        .host
        .create(&SERVICES, service("team-a", "local", spec))
        .await;
    let slice = |address: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "local-1", "namespace": "team-a", "labels": {"kubernetes.io/service-name": "local"}},
        "ports": [{"name": "", "port": 5432, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "hostname": "db-0", "nodeName": "node-1", "conditions": {"ready": true}}]})
    };
    world.host.create(&ENDPOINT_SLICES, slice("10.1.0.1")).await;
    world.settle().await;
    assert_eq!(
        leads_to(&world.tenant, &shop("local")),
        [("10.1.0.1".to_owned(), "db-0".to_owned())]
    );
    let moved = json!({"endpoints": slice("10.1.0.2").at("/endpoints")});
    world
        .host
        .patch(&ENDPOINT_SLICES, &on_host("local-1"), Part::Main, moved)
        .await;
    world.settle().await;
    assert_eq!(
        leads_to(&world.tenant, &shop("local")),
        [("10.1.0.2".to_owned(), "db-0".to_owned())]
    );
    world.nothing_left_to_write().await;
    world
        .host
        .delete(&ENDPOINT_SLICES, &on_host("local-1"), None)
        .await;
    world.settle().await;
    assert!(leads_to(&world.tenant, &shop("local")).is_empty());
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn what_a_tenant_has_under_the_name_stays_theirs() {
    let world = platform().await;
    let own = json!({"selector": {"app": "own"}, "ports": [{"port": 80}]});
    world
        .tenant
        .create(&SERVICES, service("shop", "local", own))
        .await;
    let spec = json!({"ports": [{"port": 5432}]});
    world
        .host
        .create(&SERVICES, service("team-a", "local", spec))
        .await;
    world.settle().await;
    let seen = world.tenant.value(&SERVICES, &shop("local"));
    assert_eq!(
        (seen.int("/spec/ports/0/port"), seen.text("/spec/selector/app")),
        (Some(80), "own")
    );
    assert!(leads_to(&world.tenant, &shop("local")).is_empty());
    world.nothing_left_to_write().await;
}

async fn offering() -> World {
    World::with(|spec| {
        spec.networking.replicate_services.to_host = vec![
            mapping("shop/web", "web-of-demo"),
            mapping("shop/outside", "outside"),
        ];
    })
    .await
}

#[tokio::test]
async fn a_service_of_the_tenant_is_offered_on_the_host_under_a_chosen_name() {
    let world = offering().await;
    let spec = json!({"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]});
    world.tenant.create(&SERVICES, service("shop", "web", spec)).await;
    world.settle().await;
    let copy = world.host.value(&SERVICES, &on_host("web-of-demo"));
    assert_eq!(
        copy.at("/spec/selector"),
        &json!({"app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"})
    );
    assert_eq!(
        (copy.text("/spec/type"), copy.int("/spec/ports/0/port")),
        ("ClusterIP", Some(80))
    );
    assert_eq!(copy.text("/metadata/ownerReferences/0/uid"), "owner-demo");
    world.nothing_left_to_write().await;
    let change = json!({"spec": {"selector": {"app": null, "role": "front"}, "ports": [{"port": 81}]}});
    world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, change)
        .await;
    world
        .host
        .patch(
            &SERVICES,
            &on_host("web-of-demo"),
            Part::Main,
            json!({"spec": {"selector": {"x": "y"}}}),
        )
        .await;
    world.settle().await;
    let copy = world.host.value(&SERVICES, &on_host("web-of-demo"));
    assert_eq!(
        (copy.text("/spec/selector/role"), copy.int("/spec/ports/0/port")),
        ("front", Some(81))
    );
    assert_eq!(copy.at("/spec/selector/x"), &Value::Null);
    world.nothing_left_to_write().await;
    world.tenant.delete(&SERVICES, &shop("web"), None).await;
    world.settle().await;
    absent(&world.host, &SERVICES, &on_host("web-of-demo"));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_service_that_selects_nothing_is_offered_by_its_address() {
    let world = offering().await;
    let made = world
        .tenant
        .create(
            &SERVICES,
            service("shop", "outside", json!({"ports": [{"port": 443}]})),
        )
        .await;
    world.settle().await;
    let copy = world.host.value(&SERVICES, &on_host("outside"));
    assert_eq!(
        (copy.text("/spec/clusterIP"), copy.at("/spec/selector")),
        ("None", &Value::Null)
    );
    let address = made.text("/spec/clusterIP").to_owned();
    assert_eq!(
        leads_to(&world.host, &on_host("outside")),
        [(address, String::new())]
    );
    world.nothing_left_to_write().await;
    world.tenant.delete(&SERVICES, &shop("outside"), None).await;
    world.settle().await;
    absent(&world.host, &SERVICES, &on_host("outside"));
    assert!(leads_to(&world.host, &on_host("outside")).is_empty());
}

#[tokio::test]
async fn a_name_that_is_taken_on_the_host_is_left_alone() {
    let world = offering().await;
    let own = json!({"selector": {"app": "hosts"}, "ports": [{"port": 1}]});
    world
        .host
        .create(&SERVICES, service("team-a", "web-of-demo", own))
        .await;
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    world.tenant.create(&SERVICES, service("shop", "web", spec)).await;
    world.settle().await;
    let there = world.host.value(&SERVICES, &on_host("web-of-demo"));
    assert_eq!(there.at("/spec/selector"), &json!({"app": "hosts"}));
    world
        .until("the tenant reads why", |world| {
            world
                .tenant
                .warnings("web")
                .iter()
                .any(|said| said.contains("is taken"))
        })
        .await;
    world.tenant.delete(&SERVICES, &shop("web"), None).await;
    world.settle().await;
    assert!(world.host.find(&SERVICES, &on_host("web-of-demo")).is_some());
}
