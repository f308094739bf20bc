//! `warren-bench sync`: how fast pods cross between virtual clusters and their host, beside a bare client of that host.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::json;

use crate::api::{Report, create_namespace};
use crate::connection::Connection;
use crate::memory::{Memory, settled};
use crate::output::{Output, tell};
use crate::server::Server;

mod burst;
mod clusters;
mod latency;
mod pod;
mod sightings;

use burst::Burst;
use clusters::Clusters;
use pod::PodShape;

/// Where the bare client's pods are.
const BARE: &str = "warren-bench-bare";
/// How long the server's memory may take to settle.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measure what 'warren serve' adds between virtual clusters and their host
///
/// Needs a fleet that serves the host of the kubeconfig. Makes virtual clusters of its own, and removes them again. All
/// times are taken by this process, from its requests and its watches, one thread for all of them.
#[derive(Args, Debug)]
pub(crate) struct Sync {
    #[command(flatten)]
    server: Server,
    /// Namespace of the host to make them in
    #[arg(long, default_value = "warren-bench")]
    namespace: String,
    /// How many virtual clusters
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clusters: u32,
    /// How many pods the burst has, over all virtual clusters
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pods: u32,
    /// How many pods, one after another, the latencies are of
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// How many clients make the burst
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// Let the pods be scheduled and run, instead of keeping them from every scheduler
    #[arg(long)]
    run: bool,
    /// The fleet's process on this machine, to measure its memory
    #[arg(long, value_name = "PID")]
    process: Option<u32>,
    /// Leave the virtual clusters and their pods there, such as to measure a restart with them
    #[arg(long)]
    keep: bool,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Sync {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (server, target, mut control) = self.server.reach().await?;
        let mut report = Report::new(json!({"server": server, "clusters": self.clusters, "pods": self.pods}));
        create_namespace(&mut control, BARE).await?;
        tell("make virtual clusters …");
        let clusters = Clusters::make(&self.server, &self.namespace, self.clusters).await?;
        let burst = Burst {
            host: target,
            clients: self.clients,
            shape: PodShape { runs: self.run },
        };
        let outcome = self.measure(&burst, &clusters, &mut control, &mut report).await;
        if !self.keep {
            // Whatever was measured, nothing is left behind.
            clusters.remove().await?;
            remove(&mut control).await?;
        }
        outcome?;
        report.print(self.output)
    }

    async fn measure(
        &self,
        burst: &Burst,
        clusters: &Clusters,
        control: &mut Connection,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        tell("one pod after another …");
        let first = clusters.all.first().context("no virtual cluster")?;
        let single = latency::Single {
            host: &burst.host,
            tenant: first,
            shape: burst.shape,
            samples: self.samples,
        };
        report.verb("bare", single.bare(BARE).await?);
        let (to_host, after_answer) = single.to_host().await?;
        report.verb("to host", to_host);
        report.verb("answered", after_answer);
        report.verb("back", single.to_virtual().await?);
        tell("burst of a bare client …");
        report.verb("bare all", burst.bare(BARE, self.pods).await?);
        // The host is not to carry both at a time.
        control
            .call(
                Method::DELETE,
                &format!("/api/v1/namespaces/{BARE}/pods"),
                Bytes::from(NOW),
            )
            .await?;
        let before = self.memory().await?;
        tell("burst …");
        report.verb("all", burst.through(clusters, self.pods).await?);
        if let (Some(before), Some(after)) = (before, self.memory().await?) {
            report.fact("kibPerPod", json!(after.more_than(&before, self.pods)));
            report.fact("memory", json!(after.to_string()));
        }
        Ok(())
    }

    async fn memory(&self) -> anyhow::Result<Option<Memory>> {
        match self.process {
            Some(process) => Ok(Some(settled(process, PATIENCE).await?)),
            None => Ok(None),
        }
    }
}

/// Nothing runs that would need time to end.
const NOW: &str = r#"{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}"#;

async fn remove(control: &mut Connection) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{BARE}");
    control
        .call(Method::DELETE, &format!("{path}/pods"), Bytes::from(NOW))
        .await?;
    control.call(Method::DELETE, &path, Bytes::new()).await?;
    Ok(())
}
