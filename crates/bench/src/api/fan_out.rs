//! Many watchers of one object that changes as fast as one client can change it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::config_map::{ConfigMaps, collection};
use super::load::Measured;
use crate::connection::{Connection, Target};
use crate::latency::Latencies;

/// A watcher that has seen nothing for so long has lost something.
const PATIENCE: Duration = Duration::from_secs(30);

/// Watchers of one object, each with a connection of its own, and who changes it.
pub(crate) struct Crowd {
    writer: Connection,
    watchers: Vec<(Connection, Incoming)>,
}

impl Crowd {
    /// Makes the object and opens the watches.
    pub(crate) async fn gather(target: &Target, maps: &ConfigMaps, watchers: u32) -> anyhow::Result<Self> {
        let mut writer = target.connect().await?;
        let collection = collection(&maps.watch_namespace());
        let created = writer.call(Method::POST, &collection, maps.watched(0)).await?;
        let created: serde_json::Value = serde_json::from_slice(&created)?;
        let revision = created
            .pointer("/metadata/resourceVersion")
            .and_then(|revision| revision.as_str());
        let revision = revision.context("the object has no resourceVersion")?;
        let path = format!("{collection}?watch=true&resourceVersion={revision}");
        let mut open = Vec::new();
        for _ in 0..watchers {
            let mut connection = target.connect().await?;
            let events = connection.stream(&path).await?;
            open.push((connection, events));
        }
        Ok(Self {
            writer,
            watchers: open,
        })
    }

    /// Makes the changes, and waits until every watcher has seen every change. The latency is from before a change is
    /// sent until a watcher has read its event.
    pub(crate) async fn measure(mut self, maps: &ConfigMaps, changes: u32) -> anyhow::Result<Measured> {
        let mut seen = JoinSet::new();
        for (connection, events) in self.watchers {
            // The connection lives as long as its task.
            seen.spawn(watch(connection, events, changes));
        }
        let path = format!("{}/watched", collection(&maps.watch_namespace()));
        let started = Instant::now();
        let mut sent = Vec::new();
        for change in 1..=u64::from(changes) {
            sent.push(Instant::now());
            self.writer.call(Method::PUT, &path, maps.watched(change)).await?;
        }
        let mut latencies = Latencies::new()?;
        while let Some(watcher) = seen.join_next().await {
            for (sent, seen) in sent.iter().zip(watcher??) {
                latencies.record(seen.saturating_duration_since(*sent));
            }
        }
        Ok(Measured {
            latencies,
            failures: 0,
            failure: None,
            took: started.elapsed(),
            per_client: Vec::new(),
        })
    }
}

/// When each change was read. Events are lines; nothing else ends with one.
async fn watch(connection: Connection, mut events: Incoming, changes: u32) -> anyhow::Result<Vec<Instant>> {
    let mut seen = Vec::new();
    while seen.len() < changes as usize {
        let frame = timeout(PATIENCE, events.frame()).await;
        let frame = frame.with_context(|| format!("a watcher saw {} of {changes} changes", seen.len()))?;
        let Some(frame) = frame else {
            bail!("a watch ended after {} of {changes} changes", seen.len());
        };
        let now = Instant::now();
        let lines = frame?
            .data_ref()
            .map_or(0, |data| data.iter().filter(|byte| **byte == b'\n').count());
        seen.extend(std::iter::repeat_n(now, lines));
    }
    drop(connection);
    Ok(seen)
}
