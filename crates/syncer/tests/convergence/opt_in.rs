//! Kinds that are synced when asked for.

use serde_json::{Value, json};
use warren_apimachinery::resource::{INGRESSES, NETWORK_POLICIES, POD_DISRUPTION_BUDGETS, SECRETS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{World, data, on_host, shop};

fn ingress() -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"tls": [{"hosts": ["a.example.com"], "secretName": "cert"}], "rules": [{"host": "a.example.com",
            "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}})
}

async fn all_on() -> World {
    World::with(|spec| {
        spec.sync.to_host.ingresses.enabled = true;
        spec.sync.to_host.network_policies.enabled = true;
        spec.sync.to_host.pod_disruption_budgets.enabled = true;
    })
    .await
}

#[tokio::test]
async fn an_ingress_reaches_the_host_with_its_secret() {
    let world = all_on().await;
    world
        .tenant
        .create(&SECRETS, data("Secret", "cert", json!({"a": "eA=="})))
        .await;
    world.tenant.create(&INGRESSES, ingress()).await;
    world.settle().await;
    let host = world.host.value(&INGRESSES, &on_host("web-x-shop-x-demo"));
    assert_eq!(
        host.text("/spec/rules/0/http/paths/0/backend/service/name"),
        "web-x-shop-x-demo"
    );
    assert!(
        world
            .host
            .find(&SECRETS, &on_host("cert-x-shop-x-demo"))
            .is_some()
    );
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}});
    world
        .host
        .patch(&INGRESSES, &on_host("web-x-shop-x-demo"), Part::Status, status)
        .await;
    world.settle().await;
    let seen = world.tenant.value(&INGRESSES, &shop("web"));
    assert_eq!(seen.text("/status/loadBalancer/ingress/0/ip"), "203.0.113.9");
    world.nothing_left_to_write().await;
    world.tenant.delete(&INGRESSES, &shop("web"), None).await;
    world.settle().await;
    assert!(world.host.list(&INGRESSES).is_empty());
    assert_eq!(world.host.find(&SECRETS, &on_host("cert-x-shop-x-demo")), None);
}

#[tokio::test]
async fn policies_and_budgets_select_the_tenants_pods_only() {
    let world = all_on().await;
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}});
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "shop"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    world.tenant.create(&NETWORK_POLICIES, policy).await;
    world.tenant.create(&POD_DISRUPTION_BUDGETS, budget).await;
    world.settle().await;
    let bound = json!({"warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"});
    let host = world.host.value(&NETWORK_POLICIES, &on_host("p-x-shop-x-demo"));
    assert_eq!(host.at("/spec/podSelector/matchLabels"), &bound);
    let host = world
        .host
        .value(&POD_DISRUPTION_BUDGETS, &on_host("b-x-shop-x-demo"));
    assert_eq!(
        host.text("/spec/selector/matchLabels/warren.dev~1managed-by"),
        "demo"
    );
    world
        .tenant
        .patch(
            &POD_DISRUPTION_BUDGETS,
            &shop("b"),
            Part::Main,
            json!({"spec": {"minAvailable": 2}}),
        )
        .await;
    world.settle().await;
    let host = world
        .host
        .value(&POD_DISRUPTION_BUDGETS, &on_host("b-x-shop-x-demo"));
    assert_eq!(host.int("/spec/minAvailable"), Some(2));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn nothing_of_them_crosses_unless_asked_for() {
    let world = World::new().await;
    world.tenant.create(&INGRESSES, ingress()).await;
    world.settle().await;
    assert!(world.host.list(&INGRESSES).is_empty());
}
