//! `warren-bench api`: what the API of a cluster bears, verb by verb, on ConfigMaps in namespaces of its own, and patches of a Deployment.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::json;

use crate::connection::{Connection, Target};
use crate::output::{Output, tell};
use crate::server::Server;

mod config_map;
mod deployment;
mod fan_out;
mod list;
mod load;
mod report;

pub(crate) use config_map::ConfigMaps;
use deployment::Deployment;
pub(crate) use fan_out::Crowd;
pub(crate) use load::{Extent, Load, Measured, Send, Turn};
pub(crate) use report::Report;

/// Drive the API of any kubeconfig through create, get, update, list, patch, watch and delete
///
/// Every client has a connection of its own and sends its next request when the last one is answered. The client is
/// hyper over rustls, on one thread, and does not read what it is sent.
#[derive(Args, Debug)]
pub(crate) struct Api {
    #[command(flatten)]
    server: Server,
    /// How many clients at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// How long each of create, get and update runs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many requests each of create, get and update sends, instead of running for a time
    #[arg(long, conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: Option<u64>,
    /// Bytes of data in each ConfigMap
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// How many objects a list holds
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    list_objects: u32,
    /// How many lists are measured, one after another
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lists: u32,
    /// How many patches of each type a Deployment is given, one after another
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    patches: u32,
    /// How many watchers see every change
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    watchers: u32,
    /// How many changes the watchers see
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    changes: u32,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Api {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (server, target, mut control) = self.server.reach().await?;
        let version = control.call(Method::GET, "/version", Bytes::new()).await?;
        let version: serde_json::Value = serde_json::from_slice(&version)?;
        let maps = ConfigMaps::new(self.size);
        for namespace in maps.namespaces() {
            create_namespace(&mut control, &namespace).await?;
        }
        let mut report = Report::new(json!({
            "server": server, "version": version.get("gitVersion"), "clients": self.clients,
            "size": self.size, "protocol": if self.server.http2 { "HTTP/2" } else { "HTTP/1.1" }}));
        let outcome = self.measure(&target, &maps, &mut report).await;
        // Whatever was measured, nothing is left behind.
        for namespace in maps.namespaces() {
            let path = format!("/api/v1/namespaces/{namespace}");
            let collection = format!("{path}/configmaps");
            control.call(Method::DELETE, &collection, Bytes::new()).await?;
            control.call(Method::DELETE, &path, Bytes::new()).await?;
        }
        outcome?;
        report.print(self.output)
    }

    async fn measure(&self, target: &Target, maps: &ConfigMaps, report: &mut Report) -> anyhow::Result<()> {
        let extent = match self.count {
            Some(count) => Extent::Requests(count),
            None => Extent::Time(Duration::from_secs(self.seconds)),
        };
        let load = Load {
            target: target.clone(),
            clients: self.clients,
        };
        tell("create …");
        let created = load.run(extent, |turn| Some(maps.create(turn))).await?;
        let per_client = created.per_client.clone();
        report.verb("create", created);
        tell("get …");
        let got = load.run(extent, |turn| maps.get(turn, &per_client)).await?;
        report.verb("get", got);
        tell("update …");
        let updated = load.run(extent, |turn| maps.update(turn, &per_client)).await?;
        report.verb("update", updated);
        tell("list …");
        list::fill(&load, maps, self.list_objects).await?;
        let (listed, bytes) = list::measure(target, maps, self.lists).await?;
        report.verb("list", listed);
        report.fact("listObjects", json!(self.list_objects));
        report.fact("listBytes", json!(bytes));
        tell("patch …");
        let deployment = Deployment::new(&maps.list_namespace());
        let (merges, applies) = deployment.measure(target, self.patches).await?;
        report.verb("patch", merges);
        report.verb("apply", applies);
        tell("watch …");
        let crowd = Crowd::gather(target, maps, self.watchers).await?;
        let seen = crowd.measure(maps, self.changes).await?;
        report.fact("watchers", json!(self.watchers));
        report.verb("watch", seen);
        tell("delete …");
        let deleted = load
            .run(Extent::UntilNone, |turn| maps.delete(turn, &per_client))
            .await?;
        report.verb("delete", deleted);
        Ok(())
    }
}

/// Makes a namespace.
pub(crate) async fn create_namespace(connection: &mut Connection, name: &str) -> anyhow::Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let body = Bytes::from(namespace.to_string());
    connection.call(Method::POST, "/api/v1/namespaces", body).await?;
    Ok(())
}
