//! The heartbeat of simulated nodes: their leases, renewed while the process lives.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use warren_apimachinery::{ObjectKey, Resource, resource, time};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::registration::is_simulated;

const NAMESPACE: &str = "kube-node-lease";
const LEASE_SECONDS: i64 = 40;
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// Renews the lease of each simulated node every ten seconds, as a kubelet does.
pub struct Heartbeat;

#[async_trait]
impl Reconciler for Heartbeat {
    fn name(&self) -> &'static str {
        "node-heartbeat"
    }

    fn actor(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[resource::NODES];
        WATCHES
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if change.previous.is_none() && is_simulated(&change.object) {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(node) = cx
            .cluster
            .get(&resource::NODES, key)
            .filter(|node| is_simulated(node))
        else {
            return Ok(Next::Wait);
        };
        let now = time::format_micro(cx.now);
        let lease = ObjectKey::namespaced(NAMESPACE, key.name.clone());
        if cx.cluster.get(&resource::LEASES, &lease).is_some() {
            let renewed = json!({"spec": {"renewTime": now, "holderIdentity": key.name}});
            cx.cluster
                .merge_patch(&resource::LEASES, &lease, Part::Main, renewed)
                .await?;
        } else {
            let owner =
                json!([{"apiVersion": "v1", "kind": "Node", "name": key.name, "uid": node.meta().uid}]);
            let object = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": key.name, "namespace": NAMESPACE, "ownerReferences": owner},
                "spec": {"holderIdentity": key.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}});
            cx.cluster.create(&resource::LEASES, object).await?;
        }
        Ok(Next::After(RENEW_EVERY))
    }
}
