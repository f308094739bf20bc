//! The Gateway API between the two sides.

use serde_json::{Value, json};
use warren_apimachinery::resource::{
    BACKEND_TLS_POLICIES, CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, GATEWAY_CLASSES, GATEWAYS, GRPC_ROUTES,
    HTTP_ROUTES, NAMESPACES, REFERENCE_GRANTS, SECRETS, TLS_ROUTES,
};
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::Part;

use crate::world::{HOST_NAMESPACE, World, data, definition, holds, on_host, shop};

async fn gateway_api(more: impl Fn(&mut VirtualClusterSpec)) -> World {
    let world = World::with(|spec| {
        spec.sync.to_host.gateway_api.enabled = true;
        spec.sync.to_host.gateway_api.tls_routes.enabled = true;
        spec.sync.to_host.gateway_api.backend_tls_policies.enabled = true;
        more(spec);
    })
    .await;
    for resource in [
        GATEWAY_CLASSES,
        GATEWAYS,
        HTTP_ROUTES,
        GRPC_ROUTES,
        TLS_ROUTES,
        BACKEND_TLS_POLICIES,
        REFERENCE_GRANTS,
    ] {
        world
            .host
            .create(&CUSTOM_RESOURCE_DEFINITIONS, definition(&resource))
            .await;
    }
    world.settle().await;
    world
        .until("the definitions are copied", |world| {
            world.tenant.list(&CUSTOM_RESOURCE_DEFINITIONS).len() == 7
        })
        .await;
    world.settle().await;
    for side in [&world.tenant] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "infra"}});
        side.create(&NAMESPACES, namespace).await;
    }
    world
}

fn object(resource: &Resource, namespace: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": resource.api_version(), "kind": resource.kind,
        "metadata": {"name": name}, "spec": spec});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn gateway(from: &str) -> Value {
    json!({"gatewayClassName": "public", "listeners": [{"name": "https", "protocol": "HTTPS", "port": 443,
        "tls": {"certificateRefs": [{"name": "cert"}]}, "allowedRoutes": {"namespaces": {"from": from}}}]})
}

fn route(gateway_namespace: &str, backend: Value) -> Value {
    json!({"parentRefs": [{"name": "web", "namespace": gateway_namespace}], "hostnames": ["a.example.com"],
        "rules": [{"backendRefs": [backend]}]})
}

#[tokio::test]
async fn a_gateway_and_its_routes_reach_the_host_and_their_status_comes_back() {
    let world = gateway_api(|_| {}).await;
    let class = object(
        &GATEWAY_CLASSES,
        "",
        "public",
        json!({"controllerName": "example.com/c"}),
    );
    world.host.create(&GATEWAY_CLASSES, class).await;
    world
        .tenant
        .create(&SECRETS, data("Secret", "cert", json!({"tls.crt": "YQ=="})))
        .await;
    world
        .tenant
        .create(&GATEWAYS, object(&GATEWAYS, "shop", "web", gateway("Same")))
        .await;
    let backend = json!({"name": "api", "port": 80});
    for resource in [HTTP_ROUTES, GRPC_ROUTES, TLS_ROUTES] {
        let made = object(&resource, "shop", "r", route("shop", backend.clone()));
        world.tenant.create(&resource, made).await;
    }
    world.settle().await;
    assert_eq!(world.tenant.names(&GATEWAY_CLASSES), ["public"]);
    let host = world.host.value(&GATEWAYS, &on_host("web-x-shop-x-demo"));
    let expect = json!({"spec": {"gatewayClassName": "public", "listeners": [{"name": "https",
        "tls": {"certificateRefs": [{"name": "cert-x-shop-x-demo"}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}}}]}});
    assert!(holds(&host, &expect), "{host:#}");
    assert!(
        world
            .host
            .find(&SECRETS, &on_host("cert-x-shop-x-demo"))
            .is_some()
    );
    for resource in [HTTP_ROUTES, GRPC_ROUTES, TLS_ROUTES] {
        let host = world.host.value(&resource, &on_host("r-x-shop-x-demo"));
        let expect = json!({"spec": {"parentRefs": [{"name": "web-x-shop-x-demo", "namespace": null}],
            "rules": [{"backendRefs": [{"name": "api-x-shop-x-demo", "port": 80}]}]}});
        assert!(holds(&host, &expect), "{host:#}");
    }
    world.nothing_left_to_write().await;

    let status = json!({"status": {"parents": [{"controllerName": "example.com/c",
        "parentRef": {"name": "web-x-shop-x-demo"}, "conditions": [{"type": "Accepted", "status": "True"}]}]}});
    world
        .host
        .patch(&HTTP_ROUTES, &on_host("r-x-shop-x-demo"), Part::Status, status)
        .await;
    world.settle().await;
    let seen = world.tenant.value(&HTTP_ROUTES, &shop("r"));
    assert_eq!(seen["status"]["parents"][0]["parentRef"], json!({"name": "web"}));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_gateway_that_takes_no_routes_of_others_gets_none() {
    let world = gateway_api(|_| {}).await;
    world
        .tenant
        .create(&GATEWAYS, object(&GATEWAYS, "infra", "web", gateway("Same")))
        .await;
    let made = object(
        &HTTP_ROUTES,
        "shop",
        "r",
        route("infra", json!({"name": "api", "port": 80})),
    );
    world.tenant.create(&HTTP_ROUTES, made).await;
    world.settle().await;
    assert!(world.host.list(&HTTP_ROUTES).is_empty());
    assert_eq!(
        world.tenant.warnings("r"),
        ["No Gateway that it names allows routes of this namespace or with these host names"]
    );
    let open = json!({"spec": gateway("All")});
    let key = ObjectKey::namespaced("infra", "web");
    world.tenant.patch(&GATEWAYS, &key, Part::Main, open).await;
    world.settle().await;
    let host = world.host.value(&HTTP_ROUTES, &on_host("r-x-shop-x-demo"));
    assert_eq!(
        host["spec"]["parentRefs"],
        json!([{"name": "web-x-infra-x-demo"}])
    );
}

#[tokio::test]
async fn a_backend_of_another_namespace_needs_a_grant() {
    let world = gateway_api(|_| {}).await;
    let backend = json!({"name": "api", "namespace": "infra", "port": 80});
    let made = object(&HTTP_ROUTES, "shop", "r", route("shop", backend));
    world.tenant.create(&HTTP_ROUTES, made).await;
    world.settle().await;
    let named = |world: &World| {
        let host = world.host.value(&HTTP_ROUTES, &on_host("r-x-shop-x-demo"));
        host["spec"]["rules"][0]["backendRefs"][0]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(named(&world), "api-x-shop-x-demo", "what it does not name");
    let grant = json!({"from": [{"group": GATEWAYS.group, "kind": "HTTPRoute", "namespace": "shop"}],
        "to": [{"group": "", "kind": "Service"}]});
    world
        .tenant
        .create(&REFERENCE_GRANTS, object(&REFERENCE_GRANTS, "infra", "g", grant))
        .await;
    world.settle().await;
    assert_eq!(named(&world), "api-x-infra-x-demo");
    assert!(
        world.host.list(&REFERENCE_GRANTS).is_empty(),
        "the host has no need of it"
    );
}

#[tokio::test]
async fn routes_attach_to_gateways_of_the_host_that_are_shown() {
    let world = gateway_api(|spec| {
        let gateways = &mut spec.sync.from_host.gateways;
        gateways.enabled = true;
        gateways.mappings.by_name = [("edge/shared".to_owned(), "infra/web".to_owned())].into();
    })
    .await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}});
    world.host.create(&NAMESPACES, namespace).await;
    world
        .host
        .create(&GATEWAYS, object(&GATEWAYS, "edge", "shared", gateway("All")))
        .await;
    world.settle().await;
    let seen = world
        .tenant
        .value(&GATEWAYS, &ObjectKey::namespaced("infra", "web"));
    let expect = json!({"spec": {"listeners": [{"tls": {"certificateRefs": null},
        "allowedRoutes": {"namespaces": {"from": "All"}}}]}});
    assert!(holds(&seen, &expect), "{seen:#}");
    let made = object(
        &HTTP_ROUTES,
        "shop",
        "r",
        route("infra", json!({"name": "api", "port": 80})),
    );
    world.tenant.create(&HTTP_ROUTES, made).await;
    world.settle().await;
    let host = world.host.value(&HTTP_ROUTES, &on_host("r-x-shop-x-demo"));
    assert_eq!(
        host["spec"]["parentRefs"],
        json!([{"name": "shared", "namespace": "edge"}])
    );
    let status = json!({"status": {"parents": [{"controllerName": "example.com/c",
        "parentRef": {"name": "shared", "namespace": "edge"}}]}});
    let key = ObjectKey::namespaced(HOST_NAMESPACE, "r-x-shop-x-demo");
    world.host.patch(&HTTP_ROUTES, &key, Part::Status, status).await;
    world.settle().await;
    let seen = world.tenant.value(&HTTP_ROUTES, &shop("r"));
    assert_eq!(
        seen["status"]["parents"][0]["parentRef"],
        json!({"name": "web", "namespace": "infra"})
    );
    let mine = world.host.list(&GATEWAYS);
    assert_eq!(mine.len(), 1, "what is shown does not come back to the host");
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_policy_of_backends_names_what_the_host_has() {
    let world = gateway_api(|_| {}).await;
    world
        .tenant
        .create(&GATEWAYS, object(&GATEWAYS, "shop", "web", gateway("Same")))
        .await;
    world
        .tenant
        .create(&CONFIG_MAPS, data("ConfigMap", "ca", json!({"ca.crt": "PEM"})))
        .await;
    let spec = json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api"}],
        "validation": {"hostname": "api", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}});
    world
        .tenant
        .create(
            &BACKEND_TLS_POLICIES,
            object(&BACKEND_TLS_POLICIES, "shop", "p", spec),
        )
        .await;
    world.settle().await;
    let key = on_host("p-x-shop-x-demo");
    let host = world.host.value(&BACKEND_TLS_POLICIES, &key);
    let expect = json!({"spec": {"targetRefs": [{"kind": "Service", "name": "api-x-shop-x-demo"}],
        "validation": {"caCertificateRefs": [{"kind": "ConfigMap", "name": "ca-x-shop-x-demo"}]}}});
    assert!(holds(&host, &expect), "{host:#}");
    assert!(
        world
            .host
            .find(&CONFIG_MAPS, &on_host("ca-x-shop-x-demo"))
            .is_some()
    );
    let status = json!({"status": {"ancestors": [{"controllerName": "example.com/c",
        "ancestorRef": {"kind": "Gateway", "name": "web-x-shop-x-demo"}}]}});
    world
        .host
        .patch(&BACKEND_TLS_POLICIES, &key, Part::Status, status)
        .await;
    world.settle().await;
    let seen = world.tenant.value(&BACKEND_TLS_POLICIES, &shop("p"));
    assert_eq!(seen["status"]["ancestors"][0]["ancestorRef"]["name"], "web");
    world.nothing_left_to_write().await;
}
