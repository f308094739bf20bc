//! Config maps and secrets: on the host while something needs them.

use serde_json::{Value, json};
use warren_apimachinery::resource::{CONFIG_MAPS, PODS, SECRETS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{World, data, on_host, pod, shop};

const CONF: &str = "conf-x-shop-x-demo";

fn reader(name: &str) -> Value {
    let mut reader = pod(name);
    reader.set(
        "/spec/containers/0/envFrom",
        json!([{"configMapRef": {"name": "conf"}}]),
    );
    reader
}

#[tokio::test]
async fn a_config_map_is_on_the_host_while_a_pod_refers_to_it() {
    let world = World::new().await;
    world
        .tenant
        .create(&CONFIG_MAPS, data("ConfigMap", "conf", json!({"a": "1"})))
        .await;
    world.settle().await;
    assert_eq!(world.host.find(&CONFIG_MAPS, &on_host(CONF)), None);
    for name in ["one", "two"] {
        world.tenant.create(&PODS, reader(name)).await;
    }
    world.settle().await;
    assert_eq!(
        world.host.value(&CONFIG_MAPS, &on_host(CONF)).at("/data"),
        &json!({"a": "1"})
    );
    world
        .tenant
        .patch(
            &CONFIG_MAPS,
            &shop("conf"),
            Part::Main,
            json!({"data": {"a": null, "b": "2"}}),
        )
        .await;
    world.settle().await;
    assert_eq!(
        world.host.value(&CONFIG_MAPS, &on_host(CONF)).at("/data"),
        &json!({"b": "2"})
    );
    world.nothing_left_to_write().await;
    world.tenant.delete(&PODS, &shop("one"), Some(0)).await;
    world.settle().await;
    assert!(world.host.find(&CONFIG_MAPS, &on_host(CONF)).is_some());
    world.tenant.delete(&PODS, &shop("two"), Some(0)).await;
    world.settle().await;
    assert_eq!(world.host.find(&CONFIG_MAPS, &on_host(CONF)), None);
}

#[tokio::test]
async fn one_that_comes_after_its_pod_or_was_deleted_on_the_host_is_made() {
    let world = World::new().await;
    world.tenant.create(&PODS, reader("one")).await;
    world.settle().await;
    assert_eq!(world.host.find(&PODS, &on_host("one-x-shop-x-demo")), None);
    world
        .tenant
        .create(&CONFIG_MAPS, data("ConfigMap", "conf", json!({"a": "1"})))
        .await;
    world.settle().await;
    assert!(world.host.find(&PODS, &on_host("one-x-shop-x-demo")).is_some());
    assert!(world.host.find(&CONFIG_MAPS, &on_host(CONF)).is_some());
    world.host.delete(&CONFIG_MAPS, &on_host(CONF), None).await;
    world.settle().await;
    assert!(world.host.find(&CONFIG_MAPS, &on_host(CONF)).is_some());
    world
        .host
        .patch(
            &CONFIG_MAPS,
            &on_host(CONF),
            Part::Main,
            json!({"data": {"a": "changed"}}),
        )
        .await;
    world.settle().await;
    assert_eq!(
        world.host.value(&CONFIG_MAPS, &on_host(CONF)).text("/data/a"),
        "1"
    );
}

#[tokio::test]
async fn an_immutable_one_made_anew_is_made_anew_on_the_host() {
    let world = World::new().await;
    let fixed = |value: &str| {
        let mut config_map = data("ConfigMap", "conf", json!({"a": value}));
        config_map.set("/immutable", true);
        config_map
    };
    world.tenant.create(&PODS, reader("one")).await;
    world.tenant.create(&CONFIG_MAPS, fixed("1")).await;
    world.settle().await;
    world.tenant.delete(&CONFIG_MAPS, &shop("conf"), None).await;
    world.tenant.create(&CONFIG_MAPS, fixed("2")).await;
    world.settle().await;
    let host = world.host.value(&CONFIG_MAPS, &on_host(CONF));
    assert_eq!((host.text("/data/a"), host.at("/immutable")), ("2", &json!(true)));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_tenant_may_ask_for_one_that_no_pod_refers_to() {
    let world = World::new().await;
    let mut forced = data("Secret", "login", json!({"user": "eA=="}));
    forced.set("/metadata/annotations/warren.dev~1force-sync", "true");
    world.tenant.create(&SECRETS, forced).await;
    world.settle().await;
    assert!(
        world
            .host
            .find(&SECRETS, &on_host("login-x-shop-x-demo"))
            .is_some()
    );
    let patch = json!({"metadata": {"annotations": {"warren.dev/force-sync": null}}});
    world
        .tenant
        .patch(&SECRETS, &shop("login"), Part::Main, patch)
        .await;
    world.settle().await;
    assert_eq!(world.host.find(&SECRETS, &on_host("login-x-shop-x-demo")), None);
}

#[tokio::test]
async fn all_are_synced_when_all_are_asked_for() {
    let world = World::with(|spec| spec.sync.to_host.secrets.all = true).await;
    let mut typed = data("Secret", "token", json!({"token": "eA=="}));
    typed.set("/type", "kubernetes.io/service-account-token");
    typed.set(
        "/metadata/annotations/kubernetes.io~1service-account.name",
        "default",
    );
    world.tenant.create(&SECRETS, typed).await;
    world.settle().await;
    let host = world.host.value(&SECRETS, &on_host("token-x-shop-x-demo"));
    assert_eq!(host.text("/type"), "Opaque");
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn the_root_certificate_is_one_object_for_all_namespaces() {
    let world = World::new().await;
    let mut reader = pod("one");
    reader.set(
        "/spec/containers/0/envFrom",
        json!([{"configMapRef": {"name": "kube-root-ca.crt"}}]),
    );
    let mut elsewhere = reader.clone();
    elsewhere.set("/metadata/namespace", "default");
    world.tenant.create(&PODS, reader).await;
    world.tenant.create(&PODS, elsewhere).await;
    world.settle().await;
    assert_eq!(world.host.names(&CONFIG_MAPS), ["kube-root-ca.crt-x-demo"]);
    world.nothing_left_to_write().await;
    let key = on_host("kube-root-ca.crt-x-demo");
    world.host.delete(&CONFIG_MAPS, &key, None).await;
    world.settle().await;
    assert_eq!(world.host.value(&CONFIG_MAPS, &key).text("/data/ca.crt"), "root");
}
