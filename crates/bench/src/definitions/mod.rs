//! `warren-bench definitions`: what CustomResourceDefinitions cost, in memory and in time, the first time and in further virtual
//! clusters.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::{Measured, Report};
use crate::connection::{Connection, Protocol, Target};
use crate::latency::Latencies;
use crate::memory::{Memory, settled};
use crate::output::{Output, tell};
use crate::server::Server;

mod documents;
mod templates;

use templates::Templates;

/// How long the server's memory may take to settle.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of how many creates the last ones are told apart.
const LAST: u32 = 20;
/// How long a definition may take until it is in every document.
const APPEARS: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);
const COLLECTION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Create many definitions of custom resources, and tell what they cost: memory, time until they are served, latencies of
/// discovery and OpenAPI
///
/// Definitions are those of the given files over and over, each time in groups of other names, and are deleted at the end.
#[derive(Args, Debug)]
pub(crate) struct Definitions {
    #[command(flatten)]
    server: Server,
    /// Files, or directories of files, with CustomResourceDefinitions
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// How many definitions are made
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// What the names of their groups begin with
    #[arg(long, default_value = "bench")]
    prefix: String,
    /// Kubeconfigs of further virtual clusters of the same process, which get the same definitions
    #[arg(long, value_name = "FILE", num_args = 1..)]
    others: Vec<PathBuf>,
    /// The server's process on this machine, to measure its memory
    #[arg(long, value_name = "PID")]
    process: Option<u32>,
    /// Leave the definitions in place
    #[arg(long)]
    keep: bool,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Definitions {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let templates = Templates::read(&self.from, &self.prefix)?;
        let (_, _, control) = self.server.reach().await?;
        let mut all = vec![control];
        for file in &self.others {
            let access = warren_remote::Access {
                kubeconfig: Some(file.clone()),
                context: None,
            };
            let target = Target::new(&access.endpoint()?, Protocol::Http1)?;
            all.push(target.connect().await.context("a further virtual cluster")?);
        }
        let outcome = self.measure(&templates, &mut all).await;
        if !self.keep {
            tell("delete …");
            for connection in &mut all {
                remove(connection, &templates, self.count).await?;
            }
        }
        outcome?.print(self.output)
    }

    async fn measure(&self, templates: &Templates, all: &mut [Connection]) -> anyhow::Result<Report> {
        let mut report =
            Report::new(json!({"definitions": self.count, "averageBytes": templates.average(self.count)}));
        let Some((control, others)) = all.split_first_mut() else {
            return Ok(report);
        };
        let before = self.memory().await?;
        tell("create …");
        self.create(control, templates, &mut report).await?;
        let filled = self.memory().await?;
        told(&mut report, "kibPerDefinition", before, filled, self.count);
        let mut again = filled;
        if !others.is_empty() {
            tell("the same in other virtual clusters …");
            self.repeat(others, templates, &mut report).await?;
            again = self.memory().await?;
            let count = self.count * u32::try_from(others.len())?;
            told(&mut report, "kibPerDefinitionElsewhere", filled, again, count);
        }
        // Last: what was read leaves room in the heap that later objects would seem to need no memory for.
        tell("discovery and OpenAPI …");
        documents::measure(control, &templates.made(self.count - 1), &mut report).await?;
        let read = self.memory().await?;
        told(
            &mut report,
            "kibPerDefinitionOfDocuments",
            again,
            read,
            self.count,
        );
        Ok(report)
    }

    /// Creates the same definitions in further virtual clusters.
    async fn repeat(
        &self,
        others: &mut [Connection],
        templates: &Templates,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut latencies = Latencies::new()?;
        let began = Instant::now();
        for other in others {
            for number in 0..self.count {
                latencies.record(post(other, &templates.made(number)).await?);
            }
        }
        report.verb("again", Measured::of(latencies, began.elapsed()));
        Ok(())
    }

    async fn memory(&self) -> anyhow::Result<Option<Memory>> {
        match self.process {
            Some(process) => Ok(Some(settled(process, PATIENCE).await?)),
            None => Ok(None),
        }
    }

    async fn create(
        &self,
        control: &mut Connection,
        templates: &Templates,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let (mut all, mut last) = (Latencies::new()?, Latencies::new()?);
        let mut served = Latencies::new()?;
        let began = Instant::now();
        for number in 0..self.count {
            let definition = templates.made(number);
            let took = post(control, &definition).await?;
            all.record(took);
            if number + LAST >= self.count {
                last.record(took);
                let since = Instant::now();
                until_served(control, &definition).await?;
                served.record(since.elapsed());
            }
        }
        let took = began.elapsed();
        let since = Instant::now();
        let definition = templates.made(self.count - 1);
        until_served(control, &definition).await?;
        documents::until_published(control, &definition, APPEARS).await?;
        report.fact("publishedAfterMs", json!(since.elapsed().as_secs_f64() * 1000.0));
        report.verb("create", Measured::of(all, took));
        report.verb("last", Measured::of(last, took));
        report.verb("served", Measured::of(served, took));
        Ok(())
    }
}

fn told(report: &mut Report, name: &str, before: Option<Memory>, after: Option<Memory>, count: u32) {
    if let (Some(before), Some(after)) = (before, after) {
        report.fact(name, json!(after.more_than(&before, count)));
        report.fact("memory", json!(after.to_string()));
    }
}

/// Creates a definition; how long the answer took.
async fn post(connection: &mut Connection, definition: &Value) -> anyhow::Result<Duration> {
    let body = Bytes::from(definition.to_string());
    let sent = Instant::now();
    connection.measure(Method::POST, COLLECTION, body).await?;
    Ok(sent.elapsed())
}

/// Waits until instances of a definition can be listed.
async fn until_served(connection: &mut Connection, definition: &Value) -> anyhow::Result<()> {
    let text = |pointer: &str| {
        definition
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let served = versions
        .into_iter()
        .flatten()
        .find(|version| version.get("served") == Some(&Value::Bool(true)));
    let version = served
        .and_then(|version| version.get("name")?.as_str())
        .unwrap_or_default();
    let path = format!("/apis/{group}/{version}/{plural}");
    let deadline = Instant::now() + APPEARS;
    loop {
        let answer = connection.ask(&path, "application/json", None).await?;
        if answer.status == StatusCode::OK {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{path} is not served: {}",
            answer.status
        );
        tokio::time::sleep(PAUSE).await;
    }
}

async fn remove(connection: &mut Connection, templates: &Templates, count: u32) -> anyhow::Result<()> {
    for number in 0..count {
        let definition = templates.made(number);
        let name = definition.pointer("/metadata/name").and_then(Value::as_str);
        let path = format!("{COLLECTION}/{}", name.unwrap_or_default());
        // What was never made is no loss.
        let _ = connection.measure(Method::DELETE, &path, Bytes::new()).await;
    }
    Ok(())
}
