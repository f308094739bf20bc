//! What of the host a tenant sees: classes by selector, objects by mapping. Read-only.

use serde_json::{Value, json};
use warren_apimachinery::resource::{
    CONFIG_MAPS, CSI_DRIVERS, CSI_NODES, CSI_STORAGE_CAPACITIES, CUSTOM_RESOURCE_DEFINITIONS, DEVICE_CLASSES,
    INGRESS_CLASSES, NAMESPACES, NODES, PRIORITY_CLASSES, RUNTIME_CLASSES, SECRETS, SERVICE_CIDRS,
    STORAGE_CLASSES, VOLUME_SNAPSHOT_CLASSES,
};
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::{Switch, VirtualClusterSpec};
use warren_reconciler::Part;

use crate::world::{HOST_NAMESPACE, World, definition, holds};

fn object(resource: &Resource, metadata: Value, rest: Value) -> Value {
    let mut object = rest;
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.into();
    object["metadata"] = metadata;
    object
}

/// A kind of classes, how it is turned on, an object of it, a tenant's change, and what a tenant sees.
type Class = (Resource, fn(&mut VirtualClusterSpec), Value, Value, Value);

fn classes() -> Vec<Class> {
    let spec = |spec: Value| json!({"spec": spec});
    vec![
        (
            INGRESS_CLASSES,
            |spec| spec.sync.from_host.ingress_classes.enabled = true,
            spec(
                json!({"controller": "example.com/nginx", "parameters": {"kind": "K", "name": "of-the-host"}}),
            ),
            json!({"metadata": {"annotations": {"mine": "1"}}}),
            json!({"spec": {"controller": "example.com/nginx", "parameters": null}, "metadata": {"annotations": null}}),
        ),
        (
            RUNTIME_CLASSES,
            |spec| spec.sync.from_host.runtime_classes.enabled = true,
            json!({"handler": "gvisor", "overhead": {"podFixed": {"cpu": "10m"}}}),
            json!({"overhead": null}),
            json!({"handler": "gvisor", "overhead": {"podFixed": {"cpu": "10m"}}}),
        ),
        (
            PRIORITY_CLASSES,
            |spec| spec.sync.from_host.priority_classes.enabled = true,
            json!({"value": 100, "description": "of the host"}),
            json!({"description": "mine"}),
            json!({"value": 100, "description": "of the host"}),
        ),
        (
            DEVICE_CLASSES,
            |spec| spec.sync.from_host.device_classes.enabled = true,
            spec(json!({"selectors": [{"cel": {"expression": "device.driver == 'a'"}}]})),
            json!({"spec": {"selectors": null}}),
            json!({"spec": {"selectors": [{"cel": {"expression": "device.driver == 'a'"}}]}}),
        ),
        (
            CSI_DRIVERS,
            |spec| spec.sync.from_host.csi_drivers.enabled = Switch::On,
            spec(json!({"attachRequired": false, "podInfoOnMount": true})),
            json!({"spec": {"podInfoOnMount": false}}),
            json!({"spec": {"attachRequired": false, "podInfoOnMount": true}}),
        ),
    ]
}

#[tokio::test]
async fn classes_of_the_host_are_shown_read_only() {
    for (resource, on, rest, change, expect) in classes() {
        let world = World::with(on).await;
        let key = ObjectKey::cluster("shared");
        let made = object(&resource, json!({"name": "shared"}), rest);
        world.host.create(&resource, made).await;
        world.settle().await;
        let seen = world.tenant.value(&resource, &key);
        assert!(holds(&seen, &expect), "{}: {seen:#}", resource.kind);
        world.nothing_left_to_write().await;
        world.tenant.patch(&resource, &key, Part::Main, change).await;
        world.settle().await;
        let seen = world.tenant.value(&resource, &key);
        assert!(holds(&seen, &expect), "{} brought back: {seen:#}", resource.kind);
        world.tenant.delete(&resource, &key, None).await;
        world.settle().await;
        assert!(
            world.tenant.find(&resource, &key).is_some(),
            "{} made again",
            resource.kind
        );
        world.host.delete(&resource, &key, None).await;
        world.settle().await;
        assert_eq!(world.tenant.find(&resource, &key), None, "{} gone", resource.kind);
    }
}

#[tokio::test]
async fn only_what_the_selector_selects_is_shown() {
    let world = World::with(|spec| {
        let classes = &mut spec.sync.from_host.ingress_classes;
        classes.enabled = true;
        classes.selector.match_labels = [("for".to_owned(), "tenants".to_owned())].into();
    })
    .await;
    for (name, audience) in [("public", "tenants"), ("internal", "ops")] {
        let metadata = json!({"name": name, "labels": {"for": audience}});
        let class = object(
            &INGRESS_CLASSES,
            metadata,
            json!({"spec": {"controller": "c.example.com/c"}}),
        );
        world.host.create(&INGRESS_CLASSES, class).await;
    }
    world.settle().await;
    assert_eq!(world.tenant.names(&INGRESS_CLASSES), ["public"]);
    let now = json!({"metadata": {"labels": {"for": "ops"}}});
    world
        .host
        .patch(&INGRESS_CLASSES, &ObjectKey::cluster("public"), Part::Main, now)
        .await;
    world.settle().await;
    assert!(world.tenant.list(&INGRESS_CLASSES).is_empty());
}

#[tokio::test]
async fn the_ranges_of_services_are_the_hosts() {
    let world = World::new().await;
    let range = object(
        &SERVICE_CIDRS,
        json!({"name": "kubernetes"}),
        json!({"spec": {"cidrs": ["10.96.0.0/16"]}}),
    );
    world.host.create(&SERVICE_CIDRS, range).await;
    world.settle().await;
    let seen = world
        .tenant
        .value(&SERVICE_CIDRS, &ObjectKey::cluster("kubernetes"));
    assert_eq!(seen["spec"]["cidrs"], json!(["10.96.0.0/16"]));
    world.nothing_left_to_write().await;
}

async fn mapped() -> World {
    let world = World::with(|spec| {
        let by_name = [("infra/*", "from-infra/*"), ("", "platform/*")];
        let by_name = by_name.map(|(from, to)| (from.to_owned(), to.to_owned()));
        for kind in [
            &mut spec.sync.from_host.config_maps,
            &mut spec.sync.from_host.secrets,
        ] {
            kind.enabled = true;
            kind.mappings.by_name = by_name.clone().into();
        }
    })
    .await;
    let namespace = object(&NAMESPACES, json!({"name": "infra"}), json!({}));
    world.host.create(&NAMESPACES, namespace).await;
    world
}

#[tokio::test]
async fn objects_of_the_host_are_shown_where_mappings_say() {
    let world = mapped().await;
    let metadata = json!({"name": "ca", "namespace": "infra", "labels": {"team": "ops"}});
    let config = json!({"data": {"ca.crt": "PEM"}, "binaryData": {"raw": "AAEC"}});
    world
        .host
        .create(&CONFIG_MAPS, object(&CONFIG_MAPS, metadata.clone(), config))
        .await;
    let secret = json!({"data": {"tls.crt": "YQ==", "tls.key": "Yg=="}, "type": "kubernetes.io/tls"});
    world
        .host
        .create(&SECRETS, object(&SECRETS, metadata, secret))
        .await;
    world.settle().await;
    let key = ObjectKey::namespaced("from-infra", "ca");
    let seen = world.tenant.value(&CONFIG_MAPS, &key);
    let expect = json!({"data": {"ca.crt": "PEM"}, "binaryData": {"raw": "AAEC"}, "metadata": {"labels": {"team": "ops"}}});
    assert!(holds(&seen, &expect), "{seen:#}");
    let seen = world.tenant.value(&SECRETS, &key);
    assert!(
        holds(
            &seen,
            &json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ=="}})
        ),
        "{seen:#}"
    );
    world.nothing_left_to_write().await;

    let mine = json!({"data": {"ca.crt": "forged", "more": "x"}, "metadata": {"labels": {"team": null}}});
    world.tenant.patch(&CONFIG_MAPS, &key, Part::Main, mine).await;
    world.settle().await;
    let seen = world.tenant.value(&CONFIG_MAPS, &key);
    assert_eq!(seen["data"], json!({"ca.crt": "PEM"}), "brought back");
    assert!(holds(&seen, &expect), "{seen:#}");
    world.tenant.delete(&CONFIG_MAPS, &key, None).await;
    world.settle().await;
    assert!(world.tenant.find(&CONFIG_MAPS, &key).is_some(), "made again");

    let new = json!({"data": {"ca.crt": "NEW"}, "binaryData": null});
    let host = ObjectKey::namespaced("infra", "ca");
    world.host.patch(&CONFIG_MAPS, &host, Part::Main, new).await;
    world.settle().await;
    let seen = world.tenant.value(&CONFIG_MAPS, &key);
    assert!(
        holds(&seen, &json!({"data": {"ca.crt": "NEW"}, "binaryData": null})),
        "{seen:#}"
    );
    world.host.delete(&CONFIG_MAPS, &host, None).await;
    world.settle().await;
    assert_eq!(world.tenant.find(&CONFIG_MAPS, &key), None);
}

#[tokio::test]
async fn an_immutable_object_of_the_host_is_made_anew_with_it() {
    let world = mapped().await;
    let host = ObjectKey::namespaced("infra", "fixed");
    let fixed = |value: &str| {
        let metadata = json!({"name": "fixed", "namespace": "infra"});
        object(
            &CONFIG_MAPS,
            metadata,
            json!({"data": {"a": value}, "immutable": true}),
        )
    };
    world.host.create(&CONFIG_MAPS, fixed("1")).await;
    world.settle().await;
    world.host.delete(&CONFIG_MAPS, &host, None).await;
    world.host.create(&CONFIG_MAPS, fixed("2")).await;
    world.settle().await;
    let seen = world
        .tenant
        .value(&CONFIG_MAPS, &ObjectKey::namespaced("from-infra", "fixed"));
    assert_eq!(seen["data"], json!({"a": "2"}));
}

#[tokio::test]
async fn nothing_that_belongs_to_a_virtual_cluster_is_shown_to_another() {
    let world = mapped().await;
    let metadata = json!({"name": "open", "namespace": HOST_NAMESPACE});
    world
        .host
        .create(
            &SECRETS,
            object(&SECRETS, metadata, json!({"data": {"a": "eA=="}})),
        )
        .await;
    let metadata = json!({"name": "vc-other", "namespace": HOST_NAMESPACE, "ownerReferences": [
        {"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster", "name": "other", "uid": "owner-other"}]});
    world
        .host
        .create(
            &SECRETS,
            object(&SECRETS, metadata, json!({"data": {"a": "eA=="}})),
        )
        .await;
    let forced =
        json!({"name": "theirs", "namespace": "shop", "annotations": {"warren.dev/force-sync": "true"}});
    world
        .neighbour
        .create(&SECRETS, object(&SECRETS, forced, json!({"data": {"a": "eA=="}})))
        .await;
    world.settle().await;
    assert_eq!(world.host.list(&SECRETS).len(), 3);
    assert_eq!(world.tenant.names(&SECRETS), ["open"]);
}

#[tokio::test]
async fn a_tenants_own_object_in_the_place_is_left_alone() {
    let world = mapped().await;
    let namespace = object(&NAMESPACES, json!({"name": "from-infra"}), json!({}));
    world.tenant.create(&NAMESPACES, namespace).await;
    let own = object(
        &CONFIG_MAPS,
        json!({"name": "x", "namespace": "from-infra"}),
        json!({"data": {"whose": "mine"}}),
    );
    world.tenant.create(&CONFIG_MAPS, own).await;
    let host = object(
        &CONFIG_MAPS,
        json!({"name": "x", "namespace": "infra"}),
        json!({"data": {"whose": "host"}}),
    );
    world.host.create(&CONFIG_MAPS, host).await;
    world.settle().await;
    let seen = world
        .tenant
        .value(&CONFIG_MAPS, &ObjectKey::namespaced("from-infra", "x"));
    assert_eq!(seen["data"], json!({"whose": "mine"}));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn classes_from_definitions_are_shown_too() {
    let world = World::with(|spec| spec.sync.from_host.volume_snapshot_classes.enabled = true).await;
    world
        .host
        .create(&CUSTOM_RESOURCE_DEFINITIONS, definition(&VOLUME_SNAPSHOT_CLASSES))
        .await;
    world.settle().await;
    let class = object(
        &VOLUME_SNAPSHOT_CLASSES,
        json!({"name": "fast"}),
        json!({"spec": {"driver": "csi.example.com"}}),
    );
    world.host.create(&VOLUME_SNAPSHOT_CLASSES, class).await;
    world.settle().await;
    let seen = world
        .tenant
        .value(&VOLUME_SNAPSHOT_CLASSES, &ObjectKey::cluster("fast"));
    assert_eq!(seen["spec"]["driver"], "csi.example.com");
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn what_a_scheduler_needs_is_shown_of_what_is_shown() {
    let world = World::with(|spec| spec.control_plane.advanced.virtual_scheduler.enabled = true).await;
    let node = object(&NODES, json!({"name": "node-1"}), json!({}));
    world.tenant.create(&NODES, node).await;
    for name in ["node-1", "node-2"] {
        let drivers = json!({"spec": {"drivers": [{"name": "csi.example.com", "nodeID": name}]}});
        world
            .host
            .create(&CSI_NODES, object(&CSI_NODES, json!({"name": name}), drivers))
            .await;
    }
    let class = object(
        &STORAGE_CLASSES,
        json!({"name": "fast"}),
        json!({"provisioner": "csi.example.com"}),
    );
    world.host.create(&STORAGE_CLASSES, class).await;
    for (name, class) in [("csisc-1", "fast"), ("csisc-2", "hidden")] {
        let metadata = json!({"name": name, "namespace": HOST_NAMESPACE});
        let capacity = object(
            &CSI_STORAGE_CAPACITIES,
            metadata,
            json!({"storageClassName": class, "capacity": "10Gi"}),
        );
        world.host.create(&CSI_STORAGE_CAPACITIES, capacity).await;
    }
    world.settle().await;
    world.full_pass();
    world.settle().await;
    assert_eq!(world.tenant.names(&CSI_NODES), ["node-1"]);
    assert_eq!(world.tenant.names(&CSI_STORAGE_CAPACITIES), ["csisc-1"]);
    let seen = world.tenant.value(
        &CSI_STORAGE_CAPACITIES,
        &ObjectKey::namespaced("kube-system", "csisc-1"),
    );
    assert_eq!(seen["capacity"], "10Gi");
    world.nothing_left_to_write().await;
}
