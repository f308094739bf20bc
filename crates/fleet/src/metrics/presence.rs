//! Whether a virtual cluster serves the group: where its configuration says so and the host has it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, Resource, resource};
use warren_apiserver::{RemoteVersion, aggregated_resources};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_syncer::Bindings;

use super::{GROUP, HostMetrics, VERSION, destination, view};
use crate::fleet::Fleet;

/// How soon a change on the host is noticed. Nothing is asked for virtual clusters that do not show metrics.
const AGAIN: Duration = Duration::from_secs(30);

/// See the module. Works for virtual clusters.
pub(crate) struct Presence {
    pub(crate) fleet: Weak<Fleet>,
    pub(crate) metrics: Arc<HostMetrics>,
}

/// The name of the object by which a tenant brings a metrics server of its own, which goes first.
fn api_service() -> ObjectKey {
    ObjectKey::cluster(format!("{VERSION}.{GROUP}"))
}

#[async_trait]
impl Reconciler for Presence {
    fn name(&self) -> &'static str {
        "host-metrics"
    }

    fn actor(&self) -> &'static str {
        "kube-aggregator"
    }

    fn watches(&self) -> &'static [Resource] {
        &[resource::NAMESPACES, resource::API_SERVICES]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let key = change.object.key();
        let is_ours = resource::API_SERVICES.is(&change.resource) && key == api_service();
        // One namespace that every cluster has stands for the pass over all of it.
        let is_pass = resource::NAMESPACES.is(&change.resource)
            && key.name == "kube-system"
            && change.previous.is_none()
            && !change.deleted;
        if is_ours || is_pass {
            out.add(api_service());
        }
    }

    async fn reconcile(&self, cx: &Context, _: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(tenant) = self
            .fleet
            .upgrade()
            .and_then(|fleet| fleet.tenant(cx.cluster.id()))
        else {
            return Ok(Next::Wait);
        };
        let aggregation = tenant.api().aggregation();
        let there = aggregation.find(GROUP, VERSION);
        if cx.cluster.get(&resource::API_SERVICES, &api_service()).is_some() {
            return Ok(Next::Wait);
        }
        let shown = self.shown(cx.cluster.id());
        let wanted = match shown {
            Some(_) => self.known(cx.cluster.id()).await,
            None => None,
        };
        let is_ours = there
            .as_ref()
            .is_none_or(|there| there.destination == destination());
        if is_ours && there.as_deref() != wanted.as_ref() {
            let came = wanted.is_some() && there.is_none();
            aggregation.set(GROUP, VERSION, wanted);
            if let Some(fleet) = self.fleet.upgrade().filter(|_| came) {
                // Autoscalers that gave up for want of metrics look again.
                fleet.woke(cx.cluster.id());
            }
        }
        Ok(shown.map_or(Next::Wait, |()| Next::After(AGAIN)))
    }
}

impl Presence {
    /// Whether the cluster is configured to show the host's metrics.
    fn shown(&self, cluster: &ClusterId) -> Option<()> {
        self.metrics.asker(cluster).map(drop)
    }

    async fn known(&self, cluster: &ClusterId) -> Option<RemoteVersion> {
        let binding = self.metrics.bindings.of_virtual(cluster)?;
        let list = self.metrics.host.resources(&self.metrics.fleet).await?;
        let list = view::resources(&list, binding.spec.integrations.metrics_server);
        let is_any = !list.items("/resources").is_empty();
        is_any.then(|| RemoteVersion {
            group: GROUP.into(),
            version: VERSION.into(),
            group_priority: 100,
            version_priority: 100,
            destination: destination(),
            available: true,
            failures: 0,
            resources: Some(aggregated_resources(&list)),
            published: None,
        })
    }
}
