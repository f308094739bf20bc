//! `warren-bench footprint`: how soon Warren is there, and how much memory it takes.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use warren_remote::Access;

use crate::connection::{Protocol, Target};
use crate::latency::Latencies;
use crate::output::{Output, say, tell};

mod process;
mod ready;
mod virtual_cluster;

use crate::memory::Memory;
use process::Warren;

/// How long idle memory may take to settle.
const SETTLE: Duration = Duration::from_secs(10);

/// Measure process start to API ready, memory of one idle virtual cluster and of N, and the time to create one
///
/// Starts 'warren up' in a temporary directory, on loopback, and ends it.
#[derive(Args, Debug)]
pub(crate) struct Footprint {
    /// The binary to measure: a release build
    #[arg(long, value_name = "PATH")]
    warren: PathBuf,
    /// How many virtual clusters to create beside the first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    clusters: u32,
    /// How many starts with new data are measured; each is followed by one that continues
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    starts: u32,
    /// Simulated nodes [default: that of 'warren up']
    #[arg(long)]
    nodes: Option<u32>,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

struct Results {
    first: Latencies,
    again: Latencies,
    idle: Memory,
    made: Latencies,
    with_all: Memory,
}

impl Footprint {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let results = self.measure().await?;
        match self.output {
            Output::Text => self.print(&results),
            Output::Json => say(&serde_json::to_string_pretty(&json!({
                "start": results.first.to_json(), "startAgain": results.again.to_json(),
                "idle": results.idle.to_json(), "create": results.made.to_json(),
                "clusters": self.clusters + 1, "withAll": results.with_all.to_json()}))?),
        }
        Ok(())
    }

    fn print(&self, results: &Results) {
        let line = |what: String, latencies: &Latencies| {
            let (p50, p99) = (latencies.quantile(0.5), latencies.quantile(0.99));
            say(&format!(
                "{what:<52} p50 {p50:>8.1} ms   p99 {p99:>8.1} ms   ({})",
                latencies.count()
            ));
        };
        line(
            "process start to virtual API ready, new data".to_owned(),
            &results.first,
        );
        line(
            "process start to virtual API ready, old data".to_owned(),
            &results.again,
        );
        say(&format!(
            "{:<52} {}",
            "memory with one idle virtual cluster", results.idle
        ));
        if self.clusters > 0 {
            line(
                "one more virtual cluster, until its API answers".to_owned(),
                &results.made,
            );
            let what = format!("memory with {} idle virtual clusters", self.clusters + 1);
            say(&format!("{what:<52} {}", results.with_all));
            let each = results.with_all.more_than(&results.idle, self.clusters);
            say(&format!(
                "{:<52} {each:.0} KiB",
                "memory per further virtual cluster"
            ));
        }
    }

    async fn measure(&self) -> anyhow::Result<Results> {
        let mut results = Results {
            first: Latencies::new()?,
            again: Latencies::new()?,
            idle: Memory::default(),
            made: Latencies::new()?,
            with_all: Memory::default(),
        };
        for _ in 0..self.starts {
            let (data, port) = (tempfile::tempdir()?, free_port()?);
            for latencies in [&mut results.first, &mut results.again] {
                let (warren, took) = self.start(&data, port).await?;
                latencies.record(took);
                warren.stop().await?;
            }
        }
        let data = tempfile::tempdir()?;
        let (warren, _) = self.start(&data, free_port()?).await?;
        tell("waiting for idle memory …");
        results.idle = crate::memory::settled(warren.id(), SETTLE).await?;
        let access = Access {
            kubeconfig: Some(warren.host_kubeconfig().await?),
            context: None,
        };
        let host = Target::new(&access.endpoint()?, Protocol::Http1)?;
        for number in 0..self.clusters {
            let took = virtual_cluster::create(&host, number).await?;
            results.made.record(took);
        }
        results.with_all = crate::memory::settled(warren.id(), SETTLE).await?;
        warren.stop().await?;
        Ok(results)
    }

    /// Starts Warren and answers how long it took until the virtual cluster's API was ready.
    async fn start(&self, data: &tempfile::TempDir, port: u16) -> anyhow::Result<(Warren, Duration)> {
        let started = Instant::now();
        let mut warren = Warren::start(&self.warren, data.path(), port, self.nodes)?;
        ready::wait(&mut warren, port)
            .await
            .context("warren up did not become ready")?;
        Ok((warren, started.elapsed()))
    }
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
