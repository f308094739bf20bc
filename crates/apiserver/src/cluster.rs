//! `ClusterApi`: what the edge knows of one cluster. A handful of pointers and counters; no task, no timer.

use std::sync::Arc;

use jiff::Timestamp;
use warren_access::{Access, Certificate};
use warren_apimachinery::ClusterId;
use warren_registry::Registry;
use warren_telemetry::metrics::ApiMetrics;

use crate::aggregation::{Aggregation, Backends};
use crate::audit::Auditor;
use crate::fairness::Fairness;
use crate::pages::Pages;
use crate::route::Peer;
use crate::tunnel::Tunnel;

/// What a `ClusterApi` is made of.
pub struct ClusterParts {
    /// Its name.
    pub id: ClusterId,
    /// The meaning of its objects.
    pub registry: Arc<Registry>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// Where exec, logs and the like go.
    pub tunnel: Arc<dyn Tunnel>,
    /// Whether `/metrics` shows the metrics of the whole process: for the host, not for tenants.
    pub shows_process_metrics: bool,
    /// What is written down of its requests; `None` for nothing.
    pub auditor: Option<Arc<Auditor>>,
    /// How servers that its `APIService`s name are reached; `None` where they are not.
    pub backends: Option<Arc<dyn Backends>>,
}

/// One cluster's API, as routes find it.
pub struct ClusterApi {
    pub(crate) id: ClusterId,
    pub(crate) registry: Arc<Registry>,
    pub(crate) access: Arc<Access>,
    pub(crate) tunnel: Arc<dyn Tunnel>,
    pub(crate) shows_process_metrics: bool,
    pub(crate) auditor: Option<Arc<Auditor>>,
    pub(crate) backends: Option<Arc<dyn Backends>>,
    aggregation: Aggregation,
    pub(crate) fairness: Fairness,
    pub(crate) metrics: ApiMetrics,
    pub(crate) pages: Pages,
}

impl ClusterApi {
    /// Puts an API over its parts.
    pub fn new(parts: ClusterParts) -> Arc<Self> {
        Arc::new(Self {
            id: parts.id,
            registry: parts.registry,
            access: parts.access,
            tunnel: parts.tunnel,
            shows_process_metrics: parts.shows_process_metrics,
            auditor: parts.auditor,
            backends: parts.backends,
            aggregation: Aggregation::default(),
            fairness: Fairness::default(),
            metrics: ApiMetrics::default(),
            pages: Pages::default(),
        })
    }

    /// The cluster's name.
    pub fn id(&self) -> &ClusterId {
        &self.id
    }

    /// Where exec, logs and the like go.
    pub fn tunnel(&self) -> &Arc<dyn Tunnel> {
        &self.tunnel
    }

    /// What is known of the servers beside its own.
    pub fn aggregation(&self) -> &Aggregation {
        &self.aggregation
    }

    /// The meaning of its objects.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What the peer's certificate is worth; judged once per connection, unless it speaks to several clusters.
    pub(crate) fn identify(&self, peer: &Peer, now: Timestamp) -> Arc<Certificate> {
        let judge = || self.access.identify(&peer.certificates, now);
        let (cluster, certificate) = peer
            .certificate
            .get_or_init(|| (self.id.clone(), Arc::new(judge())));
        if *cluster == self.id {
            Arc::clone(certificate)
        } else {
            Arc::new(judge())
        }
    }
}
