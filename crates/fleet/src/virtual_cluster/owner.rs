//! Which host object owns all that a virtual cluster has on the host, so that deleting that one collects the rest.

use serde_json::{Value, json};
use warren_apimachinery::{ObjectKey, StatusReason, resource};
use warren_config::{GROUP, KIND, VERSION, VirtualCluster};
use warren_reconciler::{Cluster, ReconcileError};
use warren_translate::MANAGED_BY;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The `VirtualCluster` object.
    Object,
    /// A ConfigMap, on a host where there is no such object: it is made where it is missing.
    ConfigMap,
}

impl Owner {
    /// The owner, as an entry of `metadata.ownerReferences` (without `controller`).
    ///
    /// # Errors
    /// `Never` where the ConfigMap's name is taken by somebody else.
    pub(super) async fn reference(
        self,
        host: &dyn Cluster,
        wanted: &VirtualCluster,
    ) -> Result<Value, ReconcileError> {
        match self {
            Self::Object => Ok(json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
                "name": wanted.key.name, "uid": wanted.uid})),
            Self::ConfigMap => config_map(host, &wanted.key).await,
        }
    }
}

/// The name of the ConfigMap that owns what the virtual cluster `name` has on its host.
fn config_map_name(name: &str) -> String {
    format!("vc-{name}")
}

async fn config_map(host: &dyn Cluster, cluster: &ObjectKey) -> Result<Value, ReconcileError> {
    let name = config_map_name(&cluster.name);
    let key = ObjectKey::namespaced(cluster.namespace.clone(), name.as_str());
    let reference = |uid: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid});
    if let Some(there) = host.get(&resource::CONFIG_MAPS, &key) {
        if there.meta().label(MANAGED_BY) == Some(cluster.name.as_str()) {
            return Ok(reference(&there.meta().uid));
        }
        let why = format!("the ConfigMap {key} is there already and is not of this virtual cluster");
        return Err(ReconcileError::Never(why));
    }
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": cluster.namespace,
            "labels": {"app": "warren", "release": cluster.name, MANAGED_BY: cluster.name}},
        "data": {"about": "Owns what this virtual cluster has on the host: deleting it deletes all of that."}});
    match host.create(&resource::CONFIG_MAPS, object).await {
        Ok(made) => Ok(reference(&made.meta().uid)),
        Err(status) if status.is(StatusReason::AlreadyExists) => Err(ReconcileError::Retry(format!(
            "the ConfigMap {key} is there already"
        ))),
        Err(status) => Err(status.into()),
    }
}
