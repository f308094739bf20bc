//! The end of a virtual cluster: its data, then what it has on the host and no owner reference takes along, then the
//! finalizer. The host's garbage collector takes the rest with the object. Where the host does not answer, the
//! finalizer stays, and the next pass goes on.

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::{Object, ObjectKey, StatusReason, resource};
use warren_config::{Phase, VirtualCluster};
use warren_reconciler::{Context, Next, Part, ReconcileError};
use warren_syncer::{Binding, Bindings};

use super::{FINALIZER, VirtualClusters, chain, cluster_id, host_objects, status};

impl VirtualClusters {
    /// See the module.
    pub(super) async fn end(
        &self,
        cx: &Context,
        key: &ObjectKey,
        object: &Object,
    ) -> Result<Next, ReconcileError> {
        if !object
            .meta()
            .finalizers
            .iter()
            .any(|finalizer| finalizer == FINALIZER)
        {
            return Ok(Next::Wait);
        }
        let value = object.to_value();
        status::report(
            cx,
            &value,
            Phase::Terminating,
            &[status::not_ready("Deleting", "the cluster is being removed")],
        )
        .await?;
        let id = cluster_id(key);
        let Some(fleet) = self.fleet.upgrade() else {
            return Ok(Next::Wait);
        };
        fleet.forget(&id);
        fleet
            .remove(&id)
            .await
            .map_err(|error| ReconcileError::Retry(chain(&error)))?;
        // Only now: while the cluster was there, the syncer would have made them anew.
        let bound = self.bindings.of_virtual(&id);
        let binding = bound.unwrap_or_else(|| Arc::new(former(cx, key, &object.to_value())));
        warren_syncer::remove_cluster_scoped(cx.cluster.as_ref(), &binding).await?;
        host_objects::remove_elsewhere(cx.cluster.as_ref(), key).await?;
        self.bindings.remove(&id);
        fleet.want_no_more(&id);
        let left: Vec<&str> = object
            .meta()
            .finalizers
            .iter()
            .map(|f| f.as_str())
            .filter(|f| *f != FINALIZER)
            .collect();
        let patch = json!({"metadata": {"finalizers": left}});
        match cx
            .cluster
            .merge_patch(&resource::VIRTUAL_CLUSTERS, key, Part::Main, patch)
            .await
        {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(Next::Wait),
        }
    }
}

/// The binding of a cluster that was not served since the start: enough to find what is its on the host.
fn former(cx: &Context, key: &ObjectKey, object: &Value) -> Binding {
    let spec = VirtualCluster::read(object)
        .map(|wanted| wanted.spec)
        .unwrap_or_default();
    Binding {
        virtual_cluster: cluster_id(key),
        host_cluster: cx.cluster.id().clone(),
        tenant: warren_syncer::names(&key.name, &key.namespace, &spec),
        spec: Arc::new(spec),
        owner: None,
        api: None,
        dns: None,
    }
}
