//! `warren up`: an embedded host and one virtual cluster, in the foreground.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use warren_fleet::{Embedded, Options};

use crate::failure::Hinted;
use crate::name_servers::NameServers;
use crate::signals::Signals;
use crate::terminal::{say, warn};
use crate::virtual_cluster_name::VirtualClusterName;

mod admission_flags;
mod api_flags;
mod data;
mod report;

use api_flags::ApiFlags;
use data::Data;
use report::Contexts;

/// How long requests in flight may take at the end.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// What shells answer for a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Run a host with simulated nodes and a virtual cluster, in the foreground; no Kubernetes is needed
///
/// Pods are scheduled and become Ready as on a real cluster, but the nodes are simulated: no container runs. All data
/// is kept; a second start continues where the first ended.
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Name of the virtual cluster
    #[arg(default_value = "demo")]
    name: VirtualClusterName,
    /// Where to keep the data [default: $XDG_DATA_HOME/warren/NAME, else ~/.local/share/warren/NAME]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
    // Three: manifests that spread replicas over nodes, or insist on it, run as they do elsewhere.
    /// Number of simulated nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    nodes: u32,
    /// Port of the virtual cluster's API [default: the one of the last time, else any that is free]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Port of the host's API [default: the one of the last time, else any that is free]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    host_port: Option<u16>,
    /// Leave the user's kubeconfig alone
    #[arg(long)]
    no_kubeconfig: bool,
    #[command(flatten)]
    names: NameServers,
    #[command(flatten)]
    api: ApiFlags,
}

impl Up {
    pub(crate) async fn run(self, started: Instant) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::listen()?;
        let data = Data::open(self.data_dir.as_deref(), self.name.as_str())?;
        for port in [self.port, self.host_port].into_iter().flatten() {
            data::check_port(port)?;
        }
        let port = self.host_port.or_else(|| data.last_host_port());
        let mut options = Options::in_dir(data.directory());
        options.upstream_dns.clone_from(&self.names.upstream_dns);
        let id = warren_fleet::virtual_cluster_id(self.name.as_str());
        options.apis.insert(id, self.api.options()?);
        let starting = Embedded::start(options, self.nodes, port);
        let embedded = tokio::select! {
            embedded = starting => embedded.map_err(|error| data.explain(error))?,
            // What was begun is finished by the next start.
            () = signals.stop() => return Ok(ExitCode::SUCCESS),
        };
        let served = tokio::select! {
            served = self.serve(&embedded, &data, started) => served,
            () = signals.stop() => Ok(()),
        };
        if served.is_ok() {
            signals.stop().await;
        }
        let ending = tokio::time::timeout(LAST_REQUESTS, embedded.stop());
        tokio::select! {
            ended = ending => if ended.is_err() {
                warn("some requests did not end and were cut off");
            },
            () = signals.again() => return Ok(ExitCode::from(INTERRUPTED)),
        }
        served.map(|()| ExitCode::SUCCESS)
    }

    /// Everything between the start of the host and waiting for the end.
    async fn serve(&self, embedded: &Embedded, data: &Data, started: Instant) -> anyhow::Result<()> {
        let host = embedded.host_kubeconfig()?;
        data.write_host(&host.to_yaml())?;
        let made = embedded.virtual_cluster(self.name.as_str(), self.port).await;
        let kubeconfig = made.map_err(|error| {
            let hint = "the reason stands in the VirtualCluster object, too: 'warren describe' shows it";
            Hinted::new(warren_telemetry::Chain(&error).to_string(), hint)
        })?;
        data.write_virtual(&kubeconfig)?;
        let took = started.elapsed();
        let contexts = match self.no_kubeconfig {
            true => Contexts::none(),
            false => Contexts::merge(&host, &kubeconfig, self.name.as_str()).unwrap_or_else(|error| {
                warn(&format!("the user's kubeconfig is left as it is: {error:#}"));
                Contexts::none()
            }),
        };
        for line in report::lines(self, data, &contexts, took) {
            say(&line);
        }
        Ok(())
    }
}

/// The directory of all data where none is named.
fn default_directory(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let data = match std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()) {
        Some(data) => std::path::PathBuf::from(data),
        None => std::env::home_dir()
            .context("there is no home directory: name one with --data-dir")?
            .join(".local")
            .join("share"),
    };
    Ok(data.join("warren").join(name))
}
