//! One pod after another: what a crossing takes when nothing else is to be done.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;

use super::clusters::Tenant;
use super::pod::PodShape;
use super::sightings::Sightings;
use crate::api::Measured;
use crate::connection::Target;
use crate::latency::Latencies;

/// The label of host pods that are a tenant's.
pub(super) const OURS: &str = "labelSelector=warren.dev%2Fmanaged-by";
const STATUS: &str = "application/merge-patch+json";

/// See the module.
pub(super) struct Single<'a> {
    pub(super) host: &'a Target,
    pub(super) tenant: &'a Tenant,
    pub(super) shape: PodShape,
    pub(super) samples: u32,
}

/// Times of one sort.
struct Times {
    latencies: Latencies,
    since: Instant,
}

impl Times {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Latencies::new()?,
            since: Instant::now(),
        })
    }

    fn take(&mut self, latency: Duration) {
        self.latencies.record(latency);
    }

    fn measured(self) -> Measured {
        Measured::of(self.latencies, self.since.elapsed())
    }
}

impl Single<'_> {
    /// From a bare client's request on the host until a watch of the host shows the pod: what the host itself takes.
    pub(super) async fn bare(&self, namespace: &str) -> anyhow::Result<Measured> {
        let collection = format!("/api/v1/namespaces/{namespace}/pods");
        let host = Sightings::of(self.host, &collection, "").await?;
        let mut connection = self.host.connect().await?;
        let mut times = Times::new()?;
        for number in 0..self.samples {
            let name = format!("bare-{number}");
            let sent = Instant::now();
            connection
                .call(Method::POST, &collection, self.shape.body(&name))
                .await?;
            times.take(host.first(&name).await?.saturating_duration_since(sent));
        }
        Ok(times.measured())
    }

    /// From a tenant's request until a watch of the host shows the pod; and from the answer to it, which is zero where
    /// the host shows it first.
    pub(super) async fn to_host(&self) -> anyhow::Result<(Measured, Measured)> {
        let host = Sightings::of(self.host, "/api/v1/pods", OURS).await?;
        let mut connection = self.tenant.target.connect().await?;
        let (mut all, mut after) = (Times::new()?, Times::new()?);
        for number in 0..self.samples {
            let name = name(number);
            let sent = Instant::now();
            connection
                .call(Method::POST, PODS, self.shape.body(&name))
                .await?;
            let answered = Instant::now();
            let seen = host.first(&name).await?;
            all.take(seen.saturating_duration_since(sent));
            after.take(seen.saturating_duration_since(answered));
        }
        Ok((all.measured(), after.measured()))
    }

    /// From where a watch of the host shows a changed status until a watch of the virtual cluster does.
    pub(super) async fn to_virtual(&self) -> anyhow::Result<Measured> {
        let host = Sightings::of(self.host, "/api/v1/pods", OURS).await?;
        let tenant = Sightings::of(&self.tenant.target, PODS, "").await?;
        let mut connection = self.host.connect().await?;
        let mut times = Times::new()?;
        for number in 0..self.samples {
            let name = name(number);
            let message = u64::from(number) + 1;
            let patch = serde_json::json!({"status": {"message": message.to_string()}}).to_string();
            let key = &self.tenant.key;
            let path = format!(
                "/api/v1/namespaces/{}/pods/{name}-x-default-x-{}/status",
                key.namespace, key.name
            );
            connection.patch(&path, STATUS, Bytes::from(patch)).await?;
            let seen = host.said(&name, message).await?;
            times.take(tenant.said(&name, message).await?.saturating_duration_since(seen));
        }
        Ok(times.measured())
    }
}

/// Where a tenant's pods are.
pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";

fn name(number: u32) -> String {
    format!("single-{number}")
}
