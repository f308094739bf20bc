//! `metrics.k8s.io` in virtual clusters: the host's, as far as it is about the tenant's pods and the nodes that the tenant
//! sees, by the tenant's names.
//!
//! Owns what is asked of the host's metrics API and how it is shown. That a virtual cluster shows it is a choice of its
//! configuration; where the host has no such API, the virtual cluster has none.

mod answer;
mod host;
mod presence;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use warren_access::{Destination, Place, Trust};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Object, ObjectKey, Status, resource};
use warren_apiserver::{Backends, Body, Forwarded};
use warren_controllers::{PodUsage, ResourceMetrics};
use warren_reconciler::{Cluster, Clusters};
use warren_syncer::{Binding, Bindings, Counterpart};

use crate::bindings::BindingTable;
use crate::fleet::Fleet;
use host::HostApi;
pub(crate) use presence::Presence;

const GROUP: &str = "metrics.k8s.io";
const VERSION: &str = "v1beta1";
/// Where the group is below the host's API and ours.
const BASE: &str = "/apis/metrics.k8s.io/v1beta1";
/// Stands where other servers have an address. No `APIService` can name it: those name Services.
const HERE: &str = "host:metrics.k8s.io";

/// The metrics of all virtual clusters. One per fleet.
pub(crate) struct HostMetrics {
    fleet: Weak<Fleet>,
    bindings: Arc<BindingTable>,
    host: HostApi,
}

/// Whose metrics are asked for, and where they are.
struct Asker {
    binding: Arc<Binding>,
    cluster: Arc<dyn Cluster>,
    host: Arc<dyn Cluster>,
}

impl HostMetrics {
    pub(crate) fn new(fleet: &Arc<Fleet>, bindings: &Arc<BindingTable>) -> Arc<Self> {
        Arc::new(Self {
            fleet: Arc::downgrade(fleet),
            bindings: Arc::clone(bindings),
            host: HostApi::default(),
        })
    }

    /// `None` for what is no virtual cluster on a real host, or does not show metrics.
    fn asker(&self, cluster: &ClusterId) -> Option<Asker> {
        let binding = self.bindings.of_virtual(cluster)?;
        let fleet = self.fleet.upgrade()?;
        fleet.remote_host()?;
        let is_shown = binding.spec.integrations.metrics_server.enabled;
        is_shown.then_some(())?;
        Some(Asker {
            cluster: fleet.cluster(cluster, "warren-metrics")?,
            host: fleet.cluster(&binding.host_cluster, "warren-metrics")?,
            binding,
        })
    }

    /// The host's metrics of some pods of a tenant, each with its virtual pod.
    async fn of_pods(
        &self,
        asker: &Asker,
        pods: Vec<Arc<Object>>,
    ) -> Result<Vec<(Arc<Object>, Value)>, Status> {
        let mut by_namespace: BTreeMap<String, Vec<(Arc<Object>, ObjectKey)>> = BTreeMap::new();
        for pod in pods {
            let found = Counterpart::find(&asker.binding, asker.host.as_ref(), &resource::PODS, &pod);
            let Some(key) = found.map(|found| found.host_key()) else {
                continue;
            };
            by_namespace
                .entry(key.namespace.to_string())
                .or_default()
                .push((pod, key));
        }
        let mut all = Vec::new();
        for (namespace, pods) in by_namespace {
            let path = format!(
                "{BASE}/namespaces/{namespace}/pods?labelSelector={}%3D{}",
                warren_translate::MANAGED_BY.replace('/', "%2F"),
                asker.binding.tenant.cluster()
            );
            let said = self.host.list(&self.fleet, &path).await?;
            all.extend(
                pods.into_iter()
                    .filter_map(|(pod, key)| Some((pod, said.get(key.name.as_str())?.clone()))),
            );
        }
        all.sort_by_key(|(pod, _)| pod.key());
        Ok(all)
    }
}

/// Where requests for the group go.
fn destination() -> Destination {
    Destination {
        place: Place::Url(HERE.to_owned()),
        trust: Trust::Anyone,
    }
}

/// The servers that tenants name, and beside them the host's metrics.
pub(crate) struct WithMetrics {
    pub(crate) metrics: Option<Arc<HostMetrics>>,
    pub(crate) others: Option<Arc<dyn Backends>>,
}

#[async_trait]
impl Backends for WithMetrics {
    async fn forward(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        request: Request<Body>,
    ) -> Result<Forwarded, String> {
        if *to != destination() {
            let others = self.others.as_ref().ok_or("servers of tenants are not reached")?;
            return others.forward(cluster, to, request).await;
        }
        let metrics = self.metrics.as_ref().ok_or("there are no metrics of the host")?;
        let (head, _) = request.into_parts();
        let answer = metrics.answer(cluster, &head.method, &head.uri).await;
        Ok(Forwarded {
            response: answer.unwrap_or_else(|status| answer::failure(&status)),
            upgrade: None,
        })
    }
}

#[async_trait]
impl ResourceMetrics for HostMetrics {
    async fn usage(&self, cluster: &ClusterId, namespace: &str) -> Option<Result<Vec<PodUsage>, String>> {
        let asker = self.asker(cluster)?;
        if !self.host.is_served(&self.fleet).await {
            return None;
        }
        let pods = asker.cluster.list(&resource::PODS, Some(namespace));
        let measured = self.of_pods(&asker, pods).await;
        Some(
            measured
                .map_err(|status| status.message().to_owned())
                .map(|measured| {
                    measured
                        .iter()
                        .map(|(pod, metrics)| view::usage(&pod.meta().name, metrics))
                        .collect()
                }),
        )
    }
}

fn json(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

/// When a metric was taken; `None` where it does not say.
fn time(value: &Value, field: &str) -> Option<Timestamp> {
    value.field(field).as_str()?.parse().ok()
}
