//! Claims, volumes and classes.

use serde_json::{Value, json};
use warren_apimachinery::ObjectKey;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::world::{HOST_NAMESPACE, World, on_host, shop};

const HOST_CLAIM: &str = "data-x-shop-x-demo";

fn claim(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
            "resources": {"requests": {"storage": "1Gi"}}}})
}

/// What the host's provisioner and binder do.
async fn bind(world: &World, volume: &str) {
    let host = world.host.value(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM));
    let reference = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": HOST_NAMESPACE,
        "name": HOST_CLAIM, "uid": host.text("/metadata/uid")});
    let object = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": reference,
            "storageClassName": "standard", "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": "disk.example.com", "volumeHandle": "secret-place"}}});
    world.host.create(&PERSISTENT_VOLUMES, object).await;
    let status = json!({"status": {"phase": "Bound"}});
    world
        .host
        .patch(
            &PERSISTENT_VOLUMES,
            &ObjectKey::cluster(volume),
            Part::Status,
            status,
        )
        .await;
    let patch = json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": {"volumeName": volume}});
    world
        .host
        .patch(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM), Part::Main, patch)
        .await;
    let status = json!({"status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}});
    world
        .host
        .patch(
            &PERSISTENT_VOLUME_CLAIMS,
            &on_host(HOST_CLAIM),
            Part::Status,
            status,
        )
        .await;
}

#[tokio::test]
async fn a_claim_is_bound_on_the_host_and_shows_its_volume() {
    let world = World::new().await;
    world
        .tenant
        .create(&PERSISTENT_VOLUME_CLAIMS, claim("data"))
        .await;
    world.settle().await;
    bind(&world, "pvc-1").await;
    world.settle().await;
    let seen = world.tenant.value(&PERSISTENT_VOLUME_CLAIMS, &shop("data"));
    assert_eq!(
        (seen.text("/spec/volumeName"), seen.text("/status/phase")),
        ("pvc-1", "Bound")
    );
    let volume = world
        .tenant
        .value(&PERSISTENT_VOLUMES, &ObjectKey::cluster("pvc-1"));
    assert_eq!(volume.text("/spec/claimRef/name"), "data");
    assert_eq!(volume.at("/spec/claimRef/uid"), seen.at("/metadata/uid"));
    assert_eq!(volume.text("/status/phase"), "Bound");
    assert!(!volume.to_string().contains("secret-place"));
    assert!(world.neighbour.list(&PERSISTENT_VOLUMES).is_empty());
    world.nothing_left_to_write().await;
    // As upstream's admission adds it.
    let protection = json!({"metadata": {"finalizers": ["kubernetes.io/pv-protection"]}});
    world
        .tenant
        .patch(
            &PERSISTENT_VOLUMES,
            &ObjectKey::cluster("pvc-1"),
            Part::Main,
            protection,
        )
        .await;
    world
        .tenant
        .delete(&PERSISTENT_VOLUME_CLAIMS, &shop("data"), None)
        .await;
    world.settle().await;
    assert_eq!(
        world.host.find(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM)),
        None
    );
    assert!(world.tenant.list(&PERSISTENT_VOLUMES).is_empty());
}

#[tokio::test]
async fn a_volume_of_others_cannot_be_claimed_by_name() {
    let world = World::new().await;
    let mut foreign = claim("data");
    foreign.set("/spec/volumeName", "volume-of-somebody");
    world.tenant.create(&PERSISTENT_VOLUME_CLAIMS, foreign).await;
    world.settle().await;
    let host = world.host.value(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM));
    assert_eq!(
        host.text("/spec/volumeName"),
        "warren-volume-of-somebody-x-team-a-x-demo"
    );
}

#[tokio::test]
async fn a_volume_that_claims_to_be_the_hosts_opens_no_volume_of_the_host() {
    let world = World::new().await;
    let volume = |labels: Value| {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "theirs", "labels": labels},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                "csi": {"driver": "disk.example.com", "volumeHandle": "place"}}})
    };
    world.host.create(&PERSISTENT_VOLUMES, volume(json!({}))).await;
    let forged = volume(json!({"warren.dev/from-host": "true"}));
    world.tenant.create(&PERSISTENT_VOLUMES, forged).await;
    let mut wanted = claim("data");
    wanted.set("/spec/volumeName", "theirs");
    world.tenant.create(&PERSISTENT_VOLUME_CLAIMS, wanted).await;
    world.settle().await;
    let on_host = world.host.value(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM));
    assert_ne!(on_host.text("/spec/volumeName"), "theirs");
}

#[tokio::test]
async fn classes_of_the_host_are_shown_and_a_tenants_own_are_left_alone() {
    let world = World::new().await;
    let class = |name: &str, provisioner: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
            "provisioner": provisioner, "parameters": {"type": "ssd", "csi.storage.k8s.io/provisioner-secret-name": "s"}})
    };
    world
        .tenant
        .create(&STORAGE_CLASSES, class("mine", "tenant.example.com"))
        .await;
    world
        .host
        .create(&STORAGE_CLASSES, class("standard", "host.example.com"))
        .await;
    world
        .host
        .create(&STORAGE_CLASSES, class("mine", "host.example.com"))
        .await;
    world.settle().await;
    let standard = world
        .tenant
        .value(&STORAGE_CLASSES, &ObjectKey::cluster("standard"));
    assert_eq!(standard.at("/parameters"), &json!({"type": "ssd"}));
    let mine = world.tenant.value(&STORAGE_CLASSES, &ObjectKey::cluster("mine"));
    assert_eq!(mine.text("/provisioner"), "tenant.example.com");
    world.nothing_left_to_write().await;
    world
        .host
        .delete(&STORAGE_CLASSES, &ObjectKey::cluster("standard"), None)
        .await;
    world.settle().await;
    assert_eq!(world.tenant.names(&STORAGE_CLASSES), ["mine"]);
}

#[tokio::test]
async fn a_tenants_own_class_is_carried_when_asked_for_and_claims_wait_for_it() {
    let world = World::with(|spec| spec.sync.to_host.storage_classes.enabled = true).await;
    let mut wanted = claim("data");
    wanted.take_at("/spec/storageClassName");
    wanted.set(
        "/metadata/annotations/volume.beta.kubernetes.io~1storage-class",
        "fast",
    );
    world.tenant.create(&PERSISTENT_VOLUME_CLAIMS, wanted).await;
    world.settle().await;
    let there = world.host.find(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM));
    assert_eq!(there, None, "its class is not known yet");
    assert_eq!(
        world.tenant.warnings("data"),
        ["storageclass.storage.k8s.io \"fast\" not found"]
    );

    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "tenant.example.com"});
    world.tenant.create(&STORAGE_CLASSES, class).await;
    world.settle().await;
    let host_name = ObjectKey::cluster("warren-fast-x-team-a-x-demo");
    let carried = world.host.value(&STORAGE_CLASSES, &host_name);
    assert_eq!(carried.text("/provisioner"), "tenant.example.com");
    let annotations = carried.at("/metadata/annotations");
    assert!(
        annotations
            .field("storageclass.kubernetes.io/is-default-class")
            .is_null()
    );
    let host = world.host.value(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM));
    let annotations = host.at("/metadata/annotations");
    assert_eq!(
        annotations.field("volume.beta.kubernetes.io/storage-class"),
        host_name.name.as_str()
    );
    assert!(
        world.neighbour.list(&STORAGE_CLASSES).is_empty(),
        "it is no class of the host's"
    );
    world.nothing_left_to_write().await;

    world
        .tenant
        .delete(&STORAGE_CLASSES, &ObjectKey::cluster("fast"), None)
        .await;
    world.settle().await;
    assert_eq!(world.host.find(&STORAGE_CLASSES, &host_name), None);
    let kept = world.host.find(&PERSISTENT_VOLUME_CLAIMS, &on_host(HOST_CLAIM));
    assert!(kept.is_some(), "a claim outlives its class");
}
