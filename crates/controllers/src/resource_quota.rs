//! ResourceQuotas: what of them is used. How usage is counted is admission's, behind a port.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::resource::{
    CONFIG_MAPS, CRON_JOBS, DEPLOYMENTS, INGRESSES, JOBS, PERSISTENT_VOLUME_CLAIMS, PODS, REPLICA_SETS,
    REPLICATION_CONTROLLERS, RESOURCE_QUOTAS, SECRETS, SERVICES, STATEFUL_SETS,
};
use warren_apimachinery::{ClusterId, ObjectKey, Resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

/// Counts what a quota limits; admission implements it, so that both count alike.
pub trait QuotaUsage: Send + Sync + 'static {
    /// The status (`hard` and `used`) of a quota now; `None` when the cluster is gone.
    fn status(&self, cluster: &ClusterId, quota: &Value) -> Option<Value>;
}

/// The controller.
pub(crate) struct ResourceQuotas {
    pub(crate) usage: Arc<dyn QuotaUsage>,
}

#[async_trait]
impl Reconciler for ResourceQuotas {
    fn name(&self) -> &'static str {
        "resourcequota"
    }

    fn watches(&self) -> &'static [Resource] {
        &[
            RESOURCE_QUOTAS,
            PODS,
            SERVICES,
            PERSISTENT_VOLUME_CLAIMS,
            CONFIG_MAPS,
            SECRETS,
            REPLICATION_CONTROLLERS,
            DEPLOYMENTS,
            REPLICA_SETS,
            STATEFUL_SETS,
            JOBS,
            CRON_JOBS,
            INGRESSES,
        ]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if RESOURCE_QUOTAS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        let sized = [PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS]
            .iter()
            .any(|of| of.is(&change.resource));
        if change.previous.is_none() || change.deleted || sized {
            let quotas = cluster.list(&RESOURCE_QUOTAS, Some(&change.object.meta().namespace));
            quotas.iter().for_each(|quota| out.add(quota.key()));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        if let Some(quota) = cluster.get(&RESOURCE_QUOTAS, key)
            && let Some(status) = self.usage.status(cluster.id(), &quota.to_value())
        {
            crate::status::write(cluster, &RESOURCE_QUOTAS, &quota, status).await?;
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::value::ValueExt;

    use super::*;
    use crate::fake::{FakeCluster, NOW};

    struct PodsOf(Arc<FakeCluster>);

    impl QuotaUsage for PodsOf {
        fn status(&self, _: &ClusterId, quota: &Value) -> Option<Value> {
            let used = self.0.values(&PODS).len().to_string();
            Some(json!({"hard": quota.at("/spec/hard"), "used": {"pods": used}}))
        }
    }

    #[tokio::test]
    async fn a_quota_tells_what_is_used() {
        let cluster = FakeCluster::new();
        let quotas = ResourceQuotas {
            usage: Arc::new(PodsOf(cluster.clone())),
        };
        cluster.put(
            &RESOURCE_QUOTAS,
            json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "3"}}}),
        );
        cluster.put(&PODS, json!({"metadata": {"name": "a"}}));
        cluster.settle(&[&quotas], NOW).await;
        let status = cluster.value(&RESOURCE_QUOTAS, "default/q").at("/status").clone();
        assert_eq!(status, json!({"hard": {"pods": "3"}, "used": {"pods": "1"}}));
    }
}
