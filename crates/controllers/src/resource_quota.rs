//! ResourceQuotas: what of them is used. How usage is counted is admission's, behind a port.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::resource::{
    PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, RESOURCE_QUOTAS, SERVICES,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, ObjectKey, Resource};
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
        &[]
    }

    /// A quota may count objects of any kind, those of definitions too.
    fn watches_everything(&self) -> bool {
        true
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if RESOURCE_QUOTAS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        let sized = [PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS, RESOURCE_CLAIMS];
        let is_sized = sized.iter().any(|of| of.is(&change.resource));
        let namespace = &change.object.meta().namespace;
        if namespace.is_empty() || !(change.previous.is_none() || change.deleted || is_sized) {
            return;
        }
        let quotas = cluster.list(&RESOURCE_QUOTAS, Some(namespace));
        let concerned = quotas
            .iter()
            .filter(|quota| is_sized || counts(&quota.to_value(), &change.resource));
        concerned.for_each(|quota| out.add(quota.key()));
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

/// Whether a quota counts objects of a resource: by `count/…`, or by the plural alone.
fn counts(quota: &Value, resource: &GroupResource) -> bool {
    let counted = format!("count/{resource}");
    let mut names = quota.at("/spec/hard").as_object().into_iter().flatten();
    names.any(|(name, _)| {
        *name == counted || (resource.group.is_empty() && name.as_str() == resource.resource)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{FakeCluster, NOW};

    struct PodsOf(Arc<FakeCluster>);

    impl QuotaUsage for PodsOf {
        fn status(&self, _: &ClusterId, quota: &Value) -> Option<Value> {
            let used = self.0.values(&PODS).len().to_string();
            Some(json!({"hard": quota.at("/spec/hard"), "used": {"pods": used}}))
        }
    }

    #[test]
    fn a_quota_counts_objects_of_definitions() {
        let quota = json!({"spec": {"hard": {"count/foos.example.com": "1", "secrets": "2"}}});
        for (resource, expect) in [
            ("foos.example.com", true),
            ("secrets", true),
            ("bars.example.com", false),
            ("secrets.example.com", false),
        ] {
            assert_eq!(
                counts(&quota, &GroupResource::parse(resource)),
                expect,
                "{resource}"
            );
        }
    }

    #[tokio::test]
    async fn a_quota_tells_what_is_used() {
        let cluster = FakeCluster::new();
        cluster.serve(&RESOURCE_QUOTAS);
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
