//! Kinds that are carried as they are but for names: one table, *virtual before → host after*, a change of the tenant's
//! and what becomes of it, and what the host says and the tenant sees.

use serde_json::{Value, json};
use warren_apimachinery::resource::{
    CUSTOM_RESOURCE_DEFINITIONS, ENDPOINT_SLICES, INGRESSES, NETWORK_POLICIES, PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS, PRIORITY_CLASSES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, SERVICE_ACCOUNTS,
    STORAGE_CLASSES, VOLUME_SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS,
};
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::Part;

use crate::world::{World, definition, holds, on_host, shop};

/// One row of the table.
struct Row {
    resource: Resource,
    on: fn(&mut VirtualClusterSpec),
    /// Without metadata but what is said here.
    virtual_before: Value,
    host_after: Value,
    /// A merge patch by the tenant.
    change: Value,
    host_then: Value,
    /// The host's status, and what of it the tenant sees; `null` where nothing comes back.
    status: Value,
    virtual_then: Value,
}

const NAME: &str = "one";

fn key(resource: &Resource) -> ObjectKey {
    match resource.scope {
        warren_apimachinery::resource::Scope::Namespaced => shop(NAME),
        warren_apimachinery::resource::Scope::Cluster => ObjectKey::cluster(NAME),
    }
}

fn host_key(resource: &Resource) -> ObjectKey {
    match resource.scope {
        warren_apimachinery::resource::Scope::Namespaced => on_host("one-x-shop-x-demo"),
        warren_apimachinery::resource::Scope::Cluster => ObjectKey::cluster("warren-one-x-team-a-x-demo"),
    }
}

async fn check(row: Row) {
    let resource = &row.resource;
    let world = World::with(|spec| (row.on)(spec)).await;
    if resource.group == VOLUME_SNAPSHOTS.group {
        for kind in [VOLUME_SNAPSHOTS, VOLUME_SNAPSHOT_CONTENTS] {
            world
                .host
                .create(&CUSTOM_RESOURCE_DEFINITIONS, definition(&kind))
                .await;
        }
        world.settle().await;
    }
    let mut object = row.virtual_before.clone();
    let mut metadata = json!({"name": NAME, "labels": {"app": "web"}});
    if !key(resource).namespace.is_empty() {
        metadata["namespace"] = "shop".into();
    }
    if let Some(said) = object["metadata"].as_object() {
        metadata.as_object_mut().unwrap().extend(said.clone());
    }
    object["metadata"] = metadata;
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.into();
    world.tenant.create(resource, object).await;
    world.settle().await;
    let host = world.host.value(resource, &host_key(resource));
    assert!(
        holds(&host, &row.host_after),
        "{} on the host: {host:#}",
        resource.kind
    );
    assert_eq!(host["metadata"]["labels"]["warren.dev/managed-by"], "demo");
    world.nothing_left_to_write().await;

    world
        .tenant
        .patch(resource, &key(resource), Part::Main, row.change)
        .await;
    world.settle().await;
    let host = world.host.value(resource, &host_key(resource));
    assert!(
        holds(&host, &row.host_then),
        "{} after the change: {host:#}",
        resource.kind
    );

    if !row.status.is_null() {
        let status = json!({"status": row.status});
        world
            .host
            .patch(resource, &host_key(resource), Part::Status, status)
            .await;
        world.settle().await;
        let seen = world.tenant.value(resource, &key(resource));
        assert!(
            holds(&seen, &row.virtual_then),
            "{} as the tenant sees it: {seen:#}",
            resource.kind
        );
    }
    world.nothing_left_to_write().await;

    world.host.delete(resource, &host_key(resource), Some(0)).await;
    world.settle().await;
    assert!(
        world.host.find(resource, &host_key(resource)).is_some(),
        "made again"
    );
    world.tenant.delete(resource, &key(resource), Some(0)).await;
    world.settle().await;
    assert_eq!(
        world.host.find(resource, &host_key(resource)),
        None,
        "gone with the virtual one"
    );
}

#[tokio::test]
async fn an_ingress_names_services_and_secrets_of_the_host() {
    let backend = |name: &str| json!({"service": {"name": name, "port": {"number": 80}}});
    let spec = |service: &str, secret: &str| {
        json!({"ingressClassName": "nginx", "defaultBackend": backend(service), "tls": [{"hosts": ["a.example.com"],
            "secretName": secret}], "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/",
                "pathType": "Prefix", "backend": backend(service)}]}}]})
    };
    check(Row {
        resource: INGRESSES,
        on: |spec| spec.sync.to_host.ingresses.enabled = true,
        virtual_before: json!({"metadata": {"annotations": {
            "nginx.ingress.kubernetes.io/auth-secret": "shop/login",
            "nginx.ingress.kubernetes.io/default-backend": "errors",
            "nginx.ingress.kubernetes.io/custom-headers": "shop/headers",
            "haproxy.org/server-ca": "ca",
            "traefik.ingress.kubernetes.io/router.middlewares": "shop-strip@kubernetescrd,plain@file",
            "alb.ingress.kubernetes.io/auth-idp-oidc": "{\"secretName\":\"idp\"}",
        }}, "spec": spec("web", "cert")}),
        host_after: json!({"metadata": {"annotations": {
            "nginx.ingress.kubernetes.io/auth-secret": "team-a/login-x-shop-x-demo",
            "nginx.ingress.kubernetes.io/default-backend": "errors-x-shop-x-demo",
            "nginx.ingress.kubernetes.io/custom-headers": "team-a/headers-x-shop-x-demo",
            "haproxy.org/server-ca": "ca-x-shop-x-demo",
            "traefik.ingress.kubernetes.io/router.middlewares":
                "team-a-strip-x-shop-x-demo@kubernetescrd,plain@file",
            "alb.ingress.kubernetes.io/auth-idp-oidc": "{\"secretName\":\"idp-x-shop-x-demo\"}",
        }}, "spec": spec("web-x-shop-x-demo", "cert-x-shop-x-demo")}),
        change: json!({"spec": {"tls": null}, "metadata": {"labels": {"app": "other"}}}),
        host_then: json!({"spec": {"tls": null}, "metadata": {"labels": {"app": "other"}}}),
        status: json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}),
        virtual_then: json!({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}),
    })
    .await;
}

#[tokio::test]
async fn an_ingress_may_claim_only_the_host_names_that_are_allowed() {
    let world = World::with(|spec| {
        spec.sync.to_host.ingresses.enabled = true;
        spec.policies.ingresses.allowed_hosts = Some(vec!["*.shop.example.com".to_owned()]);
    })
    .await;
    let ingress = |host: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": NAME, "namespace": "shop"},
            "spec": {"rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}})
    };
    world
        .tenant
        .create(&INGRESSES, ingress("a.shop.example.com"))
        .await;
    world.settle().await;
    assert!(world.host.find(&INGRESSES, &host_key(&INGRESSES)).is_some());
    let theirs = json!({"spec": ingress("bank.example.com")["spec"]});
    world
        .tenant
        .patch(&INGRESSES, &shop(NAME), Part::Main, theirs)
        .await;
    world.settle().await;
    assert_eq!(world.host.find(&INGRESSES, &host_key(&INGRESSES)), None);
    assert_eq!(
        world.tenant.warnings(NAME),
        ["The host name \"bank.example.com\" is not one that this cluster may claim"]
    );
}

#[tokio::test]
async fn a_network_policy_selects_the_tenants_pods_only() {
    let bound = json!({"warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"});
    check(Row {
        resource: NETWORK_POLICIES,
        on: |spec| spec.sync.to_host.network_policies.enabled = true,
        virtual_before: json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}}),
        host_after: json!({"spec": {"podSelector": {"matchLabels": bound},
            "ingress": [{"from": [{"podSelector": {"matchLabels": bound}}]}]}}),
        change: json!({"spec": {"ingress": [{"ports": [{"port": 80}]}]}}),
        host_then: json!({"spec": {"podSelector": {"matchLabels": bound}, "ingress": [{"ports": [{"port": 80}]}]}}),
        status: Value::Null,
        virtual_then: Value::Null,
    })
    .await;
}

#[tokio::test]
async fn a_budget_is_of_the_tenants_pods_only() {
    check(Row {
        resource: POD_DISRUPTION_BUDGETS,
        on: |spec| spec.sync.to_host.pod_disruption_budgets.enabled = true,
        virtual_before: json!({"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
        host_after: json!({"spec": {"minAvailable": 1, "selector": {"matchLabels": {
            "app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"}}}}),
        change: json!({"spec": {"minAvailable": null, "maxUnavailable": "50%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}}),
        host_then: json!({"spec": {"minAvailable": null, "maxUnavailable": "50%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}}),
        status: Value::Null,
        virtual_then: Value::Null,
    })
    .await;
}

#[tokio::test]
async fn a_service_account_is_a_name_without_tokens() {
    check(Row {
        resource: SERVICE_ACCOUNTS,
        on: |spec| spec.sync.to_host.service_accounts.enabled = true,
        virtual_before: json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "r"}},
            "imagePullSecrets": [{"name": "pull"}]}),
        host_after: json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "r"}},
            "automountServiceAccountToken": false, "imagePullSecrets": null, "secrets": null}),
        change: json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "other"}}}),
        host_then: json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "other"}}}),
        status: Value::Null,
        virtual_then: Value::Null,
    })
    .await;
}

#[tokio::test]
async fn a_priority_class_is_never_the_hosts_default_nor_above_the_cap() {
    check(Row {
        resource: PRIORITY_CLASSES,
        on: |spec| {
            spec.sync.to_host.priority_classes.enabled = true;
            spec.policies.pods.max_priority = 1000;
        },
        virtual_before: json!({"value": 5000, "globalDefault": true, "description": "first", "preemptionPolicy": "Never"}),
        host_after: json!({"value": 1000, "globalDefault": null, "description": "first", "preemptionPolicy": "Never"}),
        change: json!({"description": "second"}),
        host_then: json!({"description": "second"}),
        status: Value::Null,
        virtual_then: Value::Null,
    })
    .await;
}

#[tokio::test]
async fn a_storage_class_of_the_tenants_follows_where_the_api_allows() {
    check(Row {
        resource: STORAGE_CLASSES,
        on: |spec| spec.sync.to_host.storage_classes.enabled = true,
        virtual_before: json!({"provisioner": "csi.example.com", "parameters": {"type": "ssd"},
            "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Retain"}),
        host_after: json!({"provisioner": "csi.example.com", "parameters": {"type": "ssd"},
            "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Retain"}),
        change: json!({"allowVolumeExpansion": true}),
        host_then: json!({"allowVolumeExpansion": true}),
        status: Value::Null,
        virtual_then: Value::Null,
    })
    .await;
}

#[tokio::test]
async fn a_volume_of_the_tenants_is_on_the_host_where_that_is_allowed() {
    let source = json!({"server": "nfs.example.com", "path": "/"});
    check(Row {
        resource: PERSISTENT_VOLUMES,
        on: |spec| spec.sync.to_host.persistent_volumes.enabled = true,
        virtual_before: json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
            "nfs": source, "claimRef": {"namespace": "shop", "name": "data"}}}),
        host_after: json!({"spec": {"capacity": {"storage": "1Gi"}, "nfs": source,
            "claimRef": {"namespace": "team-a", "name": "data-x-shop-x-demo", "uid": null}}}),
        change: json!({"spec": {"capacity": {"storage": "2Gi"}, "persistentVolumeReclaimPolicy": "Retain"}}),
        host_then: json!({"spec": {"capacity": {"storage": "2Gi"}, "persistentVolumeReclaimPolicy": "Retain"}}),
        status: json!({"phase": "Available"}),
        virtual_then: json!({"status": {"phase": "Available"}}),
    })
    .await;
}

#[tokio::test]
async fn a_volume_that_reaches_into_a_node_is_refused() {
    let world = World::with(|spec| spec.sync.to_host.persistent_volumes.enabled = true).await;
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": NAME},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/etc"}}});
    world.tenant.create(&PERSISTENT_VOLUMES, volume).await;
    world.settle().await;
    assert!(world.host.list(&PERSISTENT_VOLUMES).is_empty());
    assert_eq!(
        world.tenant.warnings(NAME),
        ["Volumes of hostPath are not allowed on the host cluster"]
    );
}

fn devices(class: &str) -> Value {
    json!({"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": class}}]}})
}

#[tokio::test]
async fn a_claim_of_devices_is_allocated_by_the_host() {
    let allocation = json!({"devices": {"results": [{"request": "gpu", "driver": "gpu.example.com", "pool": "p", "device": "d"}]}});
    check(Row {
        resource: RESOURCE_CLAIMS,
        on: |spec| spec.sync.to_host.resource_claims.enabled = true,
        virtual_before: json!({"spec": devices("gpu.example.com")}),
        host_after: json!({"spec": devices("gpu.example.com")}),
        change: json!({"metadata": {"labels": {"app": "other"}}}),
        host_then: json!({"metadata": {"labels": {"app": "other"}}}),
        status: json!({"allocation": allocation}),
        virtual_then: json!({"status": {"allocation": allocation}}),
    })
    .await;
}

#[tokio::test]
async fn a_template_of_claims_is_carried() {
    check(Row {
        resource: RESOURCE_CLAIM_TEMPLATES,
        on: |spec| spec.sync.to_host.resource_claim_templates.enabled = true,
        virtual_before: json!({"spec": {"spec": devices("gpu.example.com")}}),
        host_after: json!({"spec": {"spec": devices("gpu.example.com")}}),
        change: json!({"metadata": {"labels": {"app": "other"}}}),
        host_then: json!({"metadata": {"labels": {"app": "other"}}}),
        status: Value::Null,
        virtual_then: Value::Null,
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_is_of_the_hosts_claim() {
    check(Row {
        resource: VOLUME_SNAPSHOTS,
        on: |spec| spec.sync.to_host.volume_snapshots.enabled = true,
        virtual_before: json!({"spec": {"volumeSnapshotClassName": "fast", "source": {"persistentVolumeClaimName": "data"}}}),
        host_after: json!({"spec": {"volumeSnapshotClassName": "fast",
            "source": {"persistentVolumeClaimName": "data-x-shop-x-demo"}}}),
        change: json!({"spec": {"volumeSnapshotClassName": "slow"}}),
        host_then: json!({"spec": {"volumeSnapshotClassName": "slow"}}),
        status: json!({"readyToUse": true, "restoreSize": "1Gi"}),
        virtual_then: json!({"status": {"readyToUse": true, "restoreSize": "1Gi"}}),
    })
    .await;
}

#[tokio::test]
async fn a_content_of_a_snapshot_is_for_the_hosts_snapshot() {
    check(Row {
        resource: VOLUME_SNAPSHOT_CONTENTS,
        on: |spec| {
            spec.sync.to_host.volume_snapshots.enabled = true;
            spec.sync.to_host.volume_snapshot_contents.enabled = true;
        },
        virtual_before: json!({"spec": {"driver": "csi.example.com", "deletionPolicy": "Retain",
            "source": {"snapshotHandle": "s-1"}, "volumeSnapshotRef": {"namespace": "shop", "name": "snap", "uid": "u"}}}),
        host_after: json!({"spec": {"driver": "csi.example.com", "source": {"snapshotHandle": "s-1"},
            "volumeSnapshotRef": {"namespace": "team-a", "name": "snap-x-shop-x-demo", "uid": null}}}),
        change: json!({"spec": {"deletionPolicy": "Delete"}}),
        host_then: json!({"spec": {"deletionPolicy": "Delete"}}),
        status: json!({"readyToUse": true}),
        virtual_then: json!({"status": {"readyToUse": true}}),
    })
    .await;
}

#[tokio::test]
async fn a_slice_of_a_service_without_selector_has_the_hosts_name_for_it() {
    let long = "a-service-with-a-name-that-does-not-fit-when-it-is-translated";
    let world = World::new().await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": long, "namespace": "shop"},
        "spec": {"ports": [{"port": 80}]}});
    let made = world
        .tenant
        .create(&warren_apimachinery::resource::SERVICES, service)
        .await;
    assert!(made["spec"]["clusterIP"].is_string());
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": "shop", "labels": {"kubernetes.io/service-name": long}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": [{"port": 8080}]});
    world.tenant.create(&ENDPOINT_SLICES, slice).await;
    world.settle().await;
    let host = world.host.value(&ENDPOINT_SLICES, &on_host("one-x-shop-x-demo"));
    let label = host["metadata"]["labels"]["kubernetes.io/service-name"]
        .as_str()
        .unwrap();
    assert!(label.len() <= 63, "{label}");
    let named = world
        .host
        .find(&warren_apimachinery::resource::SERVICES, &on_host(label));
    assert!(named.is_some(), "the slice is of the host's service");
    world.nothing_left_to_write().await;
}
