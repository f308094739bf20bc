//! The embedded host: one more cluster of the fleet, with nodes of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, Resource, Status, StatusReason, resource};
use warren_node::{NodeShape, node_object};
use warren_reconciler::{Cluster, Part};

use crate::error::FleetError;
use crate::tenant::Tenant;

/// The embedded host's name in the fleet.
pub const HOST: &str = "host";

/// The embedded host's range of services: upstream's default.
pub(crate) const SERVICE_RANGE: &str = "10.96.0.0/16";
/// The cluster IP of the embedded host's own API: the first of its range.
pub(crate) const API_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1));

/// The embedded host's name in the fleet.
pub fn host_id() -> ClusterId {
    ClusterId::new(HOST)
}

/// Puts on the host what makes it a host: nodes, a storage class, the definition of `VirtualCluster`. What is
/// there already stays as it is; nodes beyond `nodes` are removed.
pub(crate) async fn furnish(host: &Arc<dyn Cluster>, nodes: u32, now: Timestamp) -> Result<(), FleetError> {
    let wrong = |source| FleetError::Bootstrap {
        cluster: host.id().clone(),
        source,
    };
    let wanted: Vec<String> = (1..=nodes)
        .map(|number| format!("warren-node-{number}"))
        .collect();
    for name in &wanted {
        register(host, name, now).await.map_err(wrong)?;
    }
    for node in host.list(&resource::NODES, None) {
        if warren_node::is_simulated(&node) && !wanted.iter().any(|name| *name == node.meta().name) {
            host.delete(&resource::NODES, &node.key(), Default::default())
                .await
                .map_err(wrong)?;
        }
    }
    create(host, &resource::STORAGE_CLASSES, storage_class())
        .await
        .map_err(wrong)?;
    let crd = warren_config::crd::custom_resource_definition();
    create(host, &resource::CUSTOM_RESOURCE_DEFINITIONS, crd)
        .await
        .map_err(wrong)
}

/// Serves the definition of virtual clusters before anybody asks for one: its reconciler does not run yet.
///
/// # Errors
/// Why its status could not be written.
pub(crate) async fn serve_virtual_clusters(
    host: &Arc<dyn Cluster>,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<(), FleetError> {
    crate::custom_resources::serve(tenant);
    let crd = warren_config::crd::custom_resource_definition();
    let key = ObjectKey::cluster(crd.text("/metadata/name"));
    let Some(object) = host.get(&resource::CUSTOM_RESOURCE_DEFINITIONS, &key) else {
        return Ok(());
    };
    let established = crate::custom_resources::establish(host.as_ref(), tenant, &object, now);
    established.await.map_err(|source| FleetError::Bootstrap {
        cluster: host.id().clone(),
        source,
    })
}

/// As a kubelet registers: the object, then its status.
async fn register(host: &Arc<dyn Cluster>, name: &str, now: Timestamp) -> Result<(), Status> {
    let object = node_object(name, &NodeShape::default(), now);
    let status = json!({"status": object.get("status")});
    if host.get(&resource::NODES, &ObjectKey::cluster(name)).is_some() {
        return Ok(());
    }
    create(host, &resource::NODES, object).await?;
    host.merge_patch(&resource::NODES, &ObjectKey::cluster(name), Part::Status, status)
        .await?;
    Ok(())
}

fn storage_class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "warren.dev/simulated", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer"})
}

async fn create(host: &Arc<dyn Cluster>, resource: &Resource, object: Value) -> Result<(), Status> {
    match host.create(resource, object).await {
        Err(status) if !status.is(StatusReason::AlreadyExists) => Err(status),
        _ => Ok(()),
    }
}
