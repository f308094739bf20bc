//! `warren-bench fan-out`: one object, many watchers.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::json;

use crate::api::{ConfigMaps, Crowd, Report, create_namespace};
use crate::connection::Target;
use crate::memory::settled;
use crate::output::{Output, tell};
use crate::server::Server;

/// How long the server's memory may take to settle.
const PATIENCE: Duration = Duration::from_secs(10);

/// Let many watchers see one object change, and tell the rate of events, their latency and what a watcher costs
///
/// Every watcher has a connection of its own. The client is hyper over rustls, on one thread, and does not read what
/// it is sent.
#[derive(Args, Debug)]
pub(crate) struct FanOut {
    #[command(flatten)]
    server: Server,
    /// How many watchers see every change
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    watchers: u32,
    /// How many changes the watchers see
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    changes: u32,
    /// Bytes of data in the ConfigMap that changes
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// The server's process on this machine, to measure its memory
    #[arg(long, value_name = "PID")]
    process: Option<u32>,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl FanOut {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (_, target, mut control) = self.server.reach().await?;
        let maps = ConfigMaps::new(self.size);
        let namespace = maps.watch_namespace();
        create_namespace(&mut control, &namespace).await?;
        let outcome = self.measure(&target, &maps).await;
        // Whatever was measured, nothing is left behind.
        let path = format!("/api/v1/namespaces/{namespace}");
        control.call(Method::DELETE, &path, Bytes::new()).await?;
        outcome?.print(self.output)
    }

    async fn measure(&self, target: &Target, maps: &ConfigMaps) -> anyhow::Result<Report> {
        let mut report = Report::new(json!({"watchers": self.watchers, "size": self.size}));
        let before = match self.process {
            Some(process) => Some((process, settled(process, PATIENCE).await?)),
            None => None,
        };
        tell("gather …");
        let crowd = Crowd::gather(target, maps, self.watchers).await?;
        if let Some((process, before)) = before {
            let after = settled(process, PATIENCE).await?;
            report.fact("kibPerWatcher", json!(after.more_than(&before, self.watchers)));
        }
        tell("change …");
        report.verb("watch", crowd.measure(maps, self.changes).await?);
        if let Some((process, before)) = before {
            let after = settled(process, PATIENCE).await?;
            report.fact(
                "kibPerWatcherAfter",
                json!(after.more_than(&before, self.watchers)),
            );
        }
        Ok(report)
    }
}
