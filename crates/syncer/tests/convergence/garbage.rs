//! What was missed while nobody listened is found by the full pass.

use serde_json::json;
use warren_apimachinery::resource::{CONFIG_MAPS, PODS, PRIORITY_CLASSES};
use warren_apimachinery::value::ValueExt;

use crate::world::{World, on_host, pod};

fn left_behind(kind: &str, owner: &str) -> serde_json::Value {
    let mut object = match kind {
        "Pod" => pod("x"),
        _ => json!({"apiVersion": "v1", "kind": kind, "metadata": {}}),
    };
    object.set("/metadata", json!({"name": "gone-x-shop-x-demo", "namespace": "team-a",
        "labels": {"warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"},
        "annotations": {"warren.dev/object-kind": kind, "warren.dev/object-namespace": "shop",
            "warren.dev/object-name": "gone", "warren.dev/object-uid": "former"},
        "ownerReferences": [{"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster", "name": "demo", "uid": owner}]}));
    object
}

#[tokio::test]
async fn host_objects_without_a_virtual_one_go() {
    let world = World::new().await;
    world
        .host
        .create(&CONFIG_MAPS, left_behind("ConfigMap", "owner-demo"))
        .await;
    world.host.create(&PODS, left_behind("Pod", "owner-demo")).await;
    let mut class = left_behind("PriorityClass", "owner-demo");
    class.set("/apiVersion", "scheduling.k8s.io/v1");
    class.set("/value", 1);
    class.set("/metadata/name", "warren-gone-x-team-a-x-demo");
    class.set("/metadata/annotations/warren.dev~1object-namespace", "");
    for field in ["namespace", "ownerReferences", "labels/warren.dev~1namespace"] {
        class.take_at(&format!("/metadata/{field}"));
    }
    world.host.create(&PRIORITY_CLASSES, class).await;
    world.full_pass();
    world.settle().await;
    assert!(world.host.list(&PODS).is_empty());
    assert!(
        world.host.list(&PRIORITY_CLASSES).is_empty(),
        "nothing owns what is cluster-scoped"
    );
    assert_eq!(
        world.host.find(&CONFIG_MAPS, &on_host("gone-x-shop-x-demo")),
        None
    );
}

#[tokio::test]
async fn what_only_looks_like_ours_stays() {
    let world = World::new().await;
    world
        .host
        .create(&CONFIG_MAPS, left_behind("ConfigMap", "somebody"))
        .await;
    world.full_pass();
    world.settle().await;
    assert!(
        world
            .host
            .find(&CONFIG_MAPS, &on_host("gone-x-shop-x-demo"))
            .is_some()
    );
}
