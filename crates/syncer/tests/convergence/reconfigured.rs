//! A changed configuration: what was switched off leaves the host, what was switched on comes, without a restart.

use serde_json::json;
use warren_apimachinery::resource::{CONFIG_MAPS, INGRESSES, PODS};
use warren_apimachinery::value::ValueExt;

use crate::world::{World, data, on_host, pod};

#[tokio::test]
async fn a_kind_that_is_switched_on_comes_and_goes_when_it_is_switched_off() {
    let world = World::new().await;
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "in", "namespace": "shop"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}});
    world.tenant.create(&INGRESSES, ingress).await;
    world.settle().await;
    let place = on_host("in-x-shop-x-demo");
    for on in [true, false, true] {
        world
            .configure(|spec| spec.sync.to_host.ingresses.enabled = on)
            .await;
        assert_eq!(world.host.find(&INGRESSES, &place).is_some(), on);
    }
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn config_maps_that_are_no_longer_wanted_leave_the_host_and_those_of_others_stay() {
    let world = World::new().await;
    let mut map = data("ConfigMap", "conf", json!({"a": "1"}));
    map.set("/metadata/annotations", json!({"warren.dev/force-sync": "true"}));
    world.tenant.create(&CONFIG_MAPS, map.clone()).await;
    world.neighbour.create(&CONFIG_MAPS, map).await;
    world.settle().await;
    let (own, others) = (on_host("conf-x-shop-x-demo"), on_host("conf-x-shop-x-other"));
    assert!(world.host.find(&CONFIG_MAPS, &own).is_some());
    world
        .configure(|spec| spec.sync.to_host.config_maps.enabled = false)
        .await;
    assert!(world.host.find(&CONFIG_MAPS, &own).is_none());
    assert!(world.host.find(&CONFIG_MAPS, &others).is_some());
    world
        .configure(|spec| spec.sync.to_host.config_maps.enabled = true)
        .await;
    assert!(world.host.find(&CONFIG_MAPS, &own).is_some());
}

#[tokio::test]
async fn a_stricter_standard_holds_for_new_pods_and_leaves_running_ones_alone() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("old")).await;
    world.settle().await;
    world
        .configure(|spec| {
            spec.policies.pod_security_standard = warren_config::PodSecurityStandard::Restricted
        })
        .await;
    world.tenant.create(&PODS, pod("new")).await;
    world.settle().await;
    assert!(world.host.find(&PODS, &on_host("old-x-shop-x-demo")).is_some());
    assert!(world.host.find(&PODS, &on_host("new-x-shop-x-demo")).is_none());
    assert!(
        world
            .tenant
            .warnings("new")
            .iter()
            .any(|text| text.contains("runAsNonRoot"))
    );
}
