//! The port to what pods use of cpu and memory: what an autoscaler is told.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use warren_apimachinery::ClusterId;

/// What one pod uses, container by container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodUsage {
    /// Its name.
    pub pod: SmolStr,
    /// When it was measured.
    pub at: Option<Timestamp>,
    /// Over how long.
    pub window: SignedDuration,
    /// By container: thousandths of each resource (`cpu`, `memory`).
    pub containers: Vec<(SmolStr, BTreeMap<SmolStr, i64>)>,
}

/// Where a cluster's pods are measured; the fleet implements it.
#[async_trait]
pub trait ResourceMetrics: Send + Sync + 'static {
    /// The pods of a namespace that were measured; `None` where the cluster has no metrics API. Called once per pass of
    /// an autoscaler.
    ///
    /// # Errors
    /// Why a metrics API that is there does not answer, as the tenant may read it.
    async fn usage(&self, cluster: &ClusterId, namespace: &str) -> Option<Result<Vec<PodUsage>, String>>;
}

/// No metrics API anywhere.
pub struct NoMetrics;

#[async_trait]
impl ResourceMetrics for NoMetrics {
    async fn usage(&self, _: &ClusterId, _: &str) -> Option<Result<Vec<PodUsage>, String>> {
        None
    }
}
