//! Services: addresses of the host, everything else of the tenant.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::SERVICES;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{Cluster, DeleteOptions, Part, ServedResource};
use warren_registry::LocalCluster;

use crate::world::{World, on_host, shop};

const HOST_SERVICE: &str = "web-x-shop-x-demo";

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
}

#[tokio::test]
async fn a_service_has_the_hosts_address_from_its_first_moment() {
    let world = World::new().await;
    let made = world.tenant.create(&SERVICES, service()).await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(made.text("/spec/clusterIP"), host.text("/spec/clusterIP"));
    assert_eq!(
        host.at("/spec/selector"),
        &json!({"app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"})
    );
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn changes_reach_the_host_and_the_load_balancer_comes_back() {
    let world = World::new().await;
    world.tenant.create(&SERVICES, service()).await;
    let patch = json!({"metadata": {"labels": {"tier": "front"}}, "spec": {"type": "LoadBalancer",
        "selector": {"app": null, "role": "web"}, "ports": [{"port": 80}, {"port": 81, "name": "b"}]}});
    let mut patch = patch;
    patch.set("/spec/ports/0/name", "a");
    let changed = world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, patch)
        .await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(host.text("/metadata/labels/tier"), "front");
    assert_eq!(host.at("/spec/ports"), changed.at("/spec/ports"));
    assert!(changed.int("/spec/ports/1/nodePort").is_some());
    assert_eq!(
        host.at("/spec/selector"),
        &json!({"role": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"})
    );
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}}});
    world
        .host
        .patch(&SERVICES, &on_host(HOST_SERVICE), Part::Status, status)
        .await;
    world.settle().await;
    let seen = world.tenant.value(&SERVICES, &shop("web"));
    assert_eq!(seen.text("/status/loadBalancer/ingress/0/ip"), "203.0.113.5");
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_service_becomes_external_and_back() {
    let world = World::new().await;
    world.tenant.create(&SERVICES, service()).await;
    let external = json!({"spec": {"type": "ExternalName", "externalName": "example.com", "clusterIP": null,
        "clusterIPs": null, "selector": null, "ports": null}});
    world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, external)
        .await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(host.text("/spec/externalName"), "example.com");
    let back = json!({"spec": {"type": "ClusterIP", "externalName": null, "ports": [{"port": 80}]}});
    let back = world
        .tenant
        .patch(&SERVICES, &shop("web"), Part::Main, back)
        .await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert!(!host.text("/spec/clusterIP").is_empty());
    assert_eq!(back.text("/spec/clusterIP"), host.text("/spec/clusterIP"));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn one_deleted_on_the_host_comes_back_with_its_address() {
    let world = World::new().await;
    let made = world.tenant.create(&SERVICES, service()).await;
    world.settle().await;
    world.host.delete(&SERVICES, &on_host(HOST_SERVICE), None).await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(host.text("/spec/clusterIP"), made.text("/spec/clusterIP"));
}

#[tokio::test]
async fn one_deleted_by_the_tenant_goes_from_the_host_and_a_new_one_takes_its_place() {
    let world = World::new().await;
    world.tenant.create(&SERVICES, service()).await;
    world.tenant.delete(&SERVICES, &shop("web"), None).await;
    let again = world.tenant.create(&SERVICES, service()).await;
    world.settle().await;
    let host = world.host.value(&SERVICES, &on_host(HOST_SERVICE));
    assert_eq!(
        host.text("/metadata/annotations/warren.dev~1object-uid"),
        again.text("/metadata/uid")
    );
    assert_eq!(host.text("/spec/clusterIP"), again.text("/spec/clusterIP"));
    world.tenant.delete(&SERVICES, &shop("web"), None).await;
    world
        .until("the host service is gone", |world| {
            world.host.find(&SERVICES, &on_host(HOST_SERVICE)).is_none()
        })
        .await;
}

/// A host whose answers to creations get lost.
struct Unanswering(LocalCluster);

#[async_trait]
impl Cluster for Unanswering {
    fn id(&self) -> &ClusterId {
        self.0.id()
    }

    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>> {
        self.0.get(resource, key)
    }

    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.0.list(resource, namespace)
    }

    fn dependents(&self, namespace: &str, owner_uid: &str) -> Vec<(GroupResource, Arc<Object>)> {
        self.0.dependents(namespace, owner_uid)
    }

    fn resources(&self) -> Vec<ServedResource> {
        self.0.resources()
    }

    async fn create(&self, resource: &Resource, object: Value) -> Result<Arc<Object>, Status> {
        self.0.create(resource, object).await.unwrap();
        Err(Status::new(
            StatusReason::Timeout,
            "request to https://10.0.0.1:6443 timed out",
        ))
    }

    async fn update(&self, resource: &Resource, part: Part, object: Value) -> Result<Arc<Object>, Status> {
        self.0.update(resource, part, object).await
    }

    async fn merge_patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        self.0.merge_patch(resource, key, part, patch).await
    }

    async fn post(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: &str,
        body: Value,
    ) -> Result<Value, Status> {
        self.0.post(resource, key, part, body).await
    }

    async fn delete(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.0.delete(resource, key, options).await
    }

    async fn delete_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.0.delete_any(resource, key, options).await
    }

    async fn patch_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        self.0.patch_any(resource, key, patch).await
    }

    fn find_any(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>> {
        self.0.find_any(resource, key)
    }

    fn list_any(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.0.list_any(resource, namespace)
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_told_of_and_leaves_nothing() {
    let world = World::new().await;
    let registry = Arc::clone(world.host.port().registry());
    let host = Unanswering(LocalCluster::new(registry, "warren-syncer"));
    let mut wanted = service();
    wanted.set("/metadata/uid", "u");
    let answer = warren_syncer::service::reserve(&host, &world.binding, &mut wanted, None, false).await;
    let status = answer.unwrap_err();
    assert_eq!(status.reason(), Some(StatusReason::ServiceUnavailable));
    assert_eq!(
        status.message(),
        "Service \"web\" cannot get its addresses: the API of the host cluster does not answer, please try again"
    );
    assert!(
        world.host.find(&SERVICES, &on_host(HOST_SERVICE)).is_some(),
        "it was made all the same"
    );
    world
        .until("the host service without a virtual one goes", |world| {
            world.host.find(&SERVICES, &on_host(HOST_SERVICE)).is_none()
        })
        .await;
}

#[tokio::test]
async fn a_dry_run_touches_nothing() {
    let world = World::new().await;
    let before = world.host.revision();
    let mut wanted = service();
    let host = world.host.port();
    warren_syncer::service::reserve(host, &world.binding, &mut wanted, None, true)
        .await
        .unwrap();
    assert_eq!(world.host.revision(), before);
}
