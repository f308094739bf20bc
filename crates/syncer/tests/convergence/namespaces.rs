//! Virtual namespaces with host namespaces of their own.

use serde_json::{Value, json};
use warren_apimachinery::ObjectKey;
use warren_apimachinery::resource::{CONFIG_MAPS, NAMESPACES, PODS, SERVICE_ACCOUNTS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{World, data, on_host, pod, shop};

fn in_shop(name: &str) -> ObjectKey {
    ObjectKey::namespaced("demo-shop", name)
}

async fn spread(mappings_only: bool) -> World {
    World::with(|spec| {
        let namespaces = &mut spec.sync.to_host.namespaces;
        namespaces.enabled = true;
        namespaces.mappings_only = mappings_only;
        namespaces.mappings.by_name = [("shop".to_owned(), "${name}-shop".to_owned())].into();
        namespaces.extra_labels = [("owner".to_owned(), "us".to_owned())].into();
    })
    .await
}

fn namespace(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

#[tokio::test]
async fn a_mapped_namespace_is_made_with_its_objects_under_their_own_names() {
    let world = spread(false).await;
    let mut reader = pod("web");
    reader.set(
        "/spec/containers/0/envFrom",
        json!([{"configMapRef": {"name": "conf"}}]),
    );
    world
        .tenant
        .create(&CONFIG_MAPS, data("ConfigMap", "conf", json!({"a": "1"})))
        .await;
    world.tenant.create(&PODS, reader).await;
    world.settle().await;
    let made = world.host.value(&NAMESPACES, &ObjectKey::cluster("demo-shop"));
    assert_eq!(made.text("/metadata/labels/owner"), "us");
    assert_eq!(
        made.text("/metadata/labels/kubernetes.io~1metadata.name"),
        "demo-shop"
    );
    let host = world.host.value(&PODS, &in_shop("web"));
    assert_eq!(
        host.text("/spec/containers/0/envFrom/0/configMapRef/name"),
        "conf"
    );
    assert!(host.at("/metadata/ownerReferences").is_null());
    assert!(world.host.find(&CONFIG_MAPS, &in_shop("conf")).is_some());
    assert!(
        world
            .host
            .find(&SERVICE_ACCOUNTS, &in_shop("vc-workload-demo"))
            .is_some()
    );
    assert!(world.host.find(&PODS, &on_host("web-x-shop-x-demo")).is_none());
    let status = json!({"status": {"phase": "Running"}});
    world
        .host
        .patch(&PODS, &in_shop("web"), Part::Status, status)
        .await;
    world.settle().await;
    assert_eq!(
        world.tenant.value(&PODS, &shop("web")).text("/status/phase"),
        "Running"
    );
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn what_no_mapping_fits_shares_the_clusters_namespace_or_is_left_out() {
    for (mappings_only, expect) in [(false, 1), (true, 0)] {
        let world = spread(mappings_only).await;
        world
            .tenant
            .create(&NAMESPACES, namespace("else", json!({})))
            .await;
        let mut map = data("ConfigMap", "conf", json!({}));
        map.set("/metadata/namespace", "else");
        map.set("/metadata/annotations", json!({"warren.dev/force-sync": "true"}));
        world.tenant.create(&CONFIG_MAPS, map).await;
        world.settle().await;
        let there = world.host.find(&CONFIG_MAPS, &on_host("conf-x-else-x-demo"));
        assert_eq!(there.iter().count(), expect, "{mappings_only}");
        assert!(
            world
                .host
                .find(&NAMESPACES, &ObjectKey::cluster("else"))
                .is_none()
        );
    }
}

#[tokio::test]
async fn a_tenant_cannot_tell_the_host_what_its_pods_may_do() {
    let world = spread(false).await;
    let labels = json!({"pod-security.kubernetes.io/enforce": "privileged", "team": "shop"});
    let patch = json!({"metadata": {"labels": labels}});
    world
        .tenant
        .patch(&NAMESPACES, &ObjectKey::cluster("shop"), Part::Main, patch)
        .await;
    world.settle().await;
    let made = world.host.value(&NAMESPACES, &ObjectKey::cluster("demo-shop"));
    assert_eq!(made.text("/metadata/labels/team"), "shop");
    assert!(
        made.at("/metadata/labels/pod-security.kubernetes.io~1enforce")
            .is_null()
    );
}

#[tokio::test]
async fn all_of_it_goes_with_the_virtual_cluster_and_nothing_else_does() {
    let world = spread(false).await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "theirs", "namespace": "demo-shop", "labels": {"warren.dev/managed-by": "demo"}}});
    world.host.create(&CONFIG_MAPS, theirs).await;
    warren_syncer::remove_cluster_scoped(world.host.port(), &world.binding)
        .await
        .unwrap();
    assert!(world.host.find(&CONFIG_MAPS, &in_shop("theirs")).is_some());
    let pod = world.host.find(&PODS, &in_shop("web"));
    assert!(pod.is_none_or(|pod| !pod.at("/metadata/deletionTimestamp").is_null()));
    assert!(world.host.find(&SERVICES, &in_shop("web")).is_none());
}
