//! Many pods at once: how fast they come to be on the host, through virtual clusters and without.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use futures_util::future::try_join_all;
use http::Method;

use super::clusters::Clusters;
use super::latency::{OURS, PODS};
use super::pod::PodShape;
use super::sightings::Sightings;
use crate::api::{Extent, Load, Measured, Send, Turn};
use crate::connection::Target;
use crate::latency::Latencies;

/// See the module.
pub(super) struct Burst {
    pub(super) host: Target,
    pub(super) clients: u32,
    pub(super) shape: PodShape,
}

/// When each pod was asked for.
type Asked = RefCell<HashMap<String, Instant>>;

impl Burst {
    /// A bare client's.
    pub(super) async fn bare(&self, namespace: &str, pods: u32) -> anyhow::Result<Measured> {
        let collection = format!("/api/v1/namespaces/{namespace}/pods");
        let host = Sightings::of(&self.host, &collection, "").await?;
        let load = Load {
            target: self.host.clone(),
            clients: self.clients,
        };
        let asked = Asked::default();
        let since = Instant::now();
        load.run(Extent::Requests(u64::from(pods)), |turn| {
            Some(self.create(
                &collection,
                &asked,
                &format!("burst-{}-{}", turn.client, turn.number),
            ))
        })
        .await?;
        self.seen(&host, asked, since).await
    }

    /// The same number of pods through all virtual clusters at a time.
    pub(super) async fn through(&self, clusters: &Clusters, pods: u32) -> anyhow::Result<Measured> {
        let host = Sightings::of(&self.host, "/api/v1/pods", OURS).await?;
        let count = u32::try_from(clusters.all.len()).unwrap_or(u32::MAX).max(1);
        let asked = Asked::default();
        let since = Instant::now();
        let loads = clusters.all.iter().enumerate().map(|(at, tenant)| {
            let load = Load {
                target: tenant.target.clone(),
                clients: self.clients.div_ceil(count),
            };
            let asked = &asked;
            async move {
                let next = |turn: Turn| {
                    let name = format!("burst-{at}-{}-{}", turn.client, turn.number);
                    Some(self.create(PODS, asked, &name))
                };
                load.run(Extent::Requests(u64::from(pods / count)), next).await
            }
        });
        try_join_all(loads).await?;
        self.seen(&host, asked, since).await
    }

    fn create(&self, collection: &str, asked: &Asked, name: &str) -> Send {
        asked.borrow_mut().insert(name.to_owned(), Instant::now());
        Send {
            method: Method::POST,
            path: collection.to_owned(),
            body: self.shape.body(name),
        }
    }

    /// From the request for each pod until the host shows it; the time of all is until the last one.
    async fn seen(&self, host: &Sightings, asked: Asked, since: Instant) -> anyhow::Result<Measured> {
        let asked = asked.into_inner();
        host.count("burst-", asked.len()).await?;
        let mut latencies = Latencies::new()?;
        let mut last = since;
        for (name, asked) in asked {
            let seen = host.first(&name).await?;
            latencies.record(seen.saturating_duration_since(asked));
            last = last.max(seen);
        }
        Ok(Measured::of(latencies, last.saturating_duration_since(since)))
    }
}
