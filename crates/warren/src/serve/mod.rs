//! `warren serve`: the fleet on a real host, in the foreground.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use warren_fleet::{FleetError, OnHost, Options, ServeError};

use crate::failure::Hinted;
use crate::signals::Signals;
use crate::terminal::{say, warn};
use crate::user_kubeconfig::private_folder;

mod address;
mod alone;
mod host;
mod report;

use address::AddressFlags;
use alone::{Alone, AloneFlags};
use host::HostFlags;

/// How long requests in flight may take at the end.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// What shells answer for a program that was interrupted.
const INTERRUPTED: u8 = 130;
/// After this a host that does not answer is told of.
const PATIENCE: Duration = Duration::from_secs(2);
/// Passes that wait for the host cost next to nothing; those that would work must not wait for them.
const WORKERS: usize = 128;

/// Serve virtual clusters on a Kubernetes cluster, in the foreground
///
/// Follows the VirtualCluster objects of the host: each is served on a port of its own and kept in step with the host.
/// All state is in the data directory: a second start continues where the first ended. Without --host-kubeconfig the
/// host is the cluster that this runs in.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to keep the data [default: $XDG_DATA_HOME/warren-serve, else ~/.local/share/warren-serve]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
    #[command(flatten)]
    host: HostFlags,
    #[command(flatten)]
    alone: AloneFlags,
    #[command(flatten)]
    address: AddressFlags,
}

impl Serve {
    pub(crate) async fn run(self, started: Instant) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::listen()?;
        let directory = match &self.data_dir {
            Some(directory) => directory.clone(),
            None => default_directory()?,
        };
        private_folder(&directory)?;
        let origin = self.host.origin()?;
        let mut options = Options::in_dir(&directory);
        options.workers = WORKERS;
        self.address.fill(&mut options, self.host.default_address())?;
        options.home.clone_from(&self.host.own_namespace);
        let alone = self.alone.alone(self.host.namespace.as_deref())?;
        let mut host = self.host.options(origin);
        let starting = async {
            match &alone {
                None => OnHost::start(options, host).await,
                Some(alone) => {
                    host.namespace = Some(alone.namespace.clone());
                    OnHost::start_one(options, host, &alone.cluster).await
                }
            }
        };
        let serving = tokio::select! {
            serving = starting => serving.map_err(|error| explain(error, &directory))?,
            // What was begun is finished by the next start.
            () = signals.stop() => return Ok(ExitCode::SUCCESS),
        };
        tokio::select! {
            () = self.tell(&serving, started, &directory, alone.as_ref()) => {}
            () = signals.stop() => {}
        }
        let ending = tokio::time::timeout(LAST_REQUESTS, serving.stop());
        tokio::select! {
            ended = ending => if ended.is_err() {
                warn("some requests did not end and were cut off");
            },
            () = signals.again() => return Ok(ExitCode::from(INTERRUPTED)),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Says when the host is there, and that it is not where it takes long. Then follows the file of a virtual cluster that
    /// is alone.
    async fn tell(
        &self,
        serving: &OnHost,
        started: Instant,
        directory: &std::path::Path,
        alone: Option<&Alone>,
    ) {
        let attached = serving.attached();
        tokio::pin!(attached);
        tokio::select! {
            () = &mut attached => {}
            () = tokio::time::sleep(PATIENCE) => {
                for line in report::waiting(serving) {
                    say(&line);
                }
                attached.await;
            }
        }
        let took = started.elapsed();
        let lines = match alone {
            None => report::ready(serving, &self.host, directory, took),
            Some(alone) => report::alone(serving, alone, directory),
        };
        for line in lines {
            say(&line);
        }
        match alone {
            Some(alone) => alone.follow(serving).await,
            None => std::future::pending().await,
        }
    }
}

fn explain(error: ServeError, directory: &std::path::Path) -> anyhow::Error {
    match error {
        ServeError::Fleet(error) if error.is_data_in_use() => Hinted::new(
            format!(
                "the data directory {} is in use by another process",
                directory.display()
            ),
            "stop the other 'warren serve', or name another directory with --data-dir",
        )
        .into(),
        ServeError::Fleet(error @ FleetError::Journal(_)) => Hinted::new(
            format!(
                "the data in {} cannot be used: {}",
                directory.display(),
                warren_telemetry::Chain(&error)
            ),
            "--data-dir names another directory",
        )
        .into(),
        ServeError::Fleet(error) => error.into(),
        ServeError::Host(error) => error.into(),
    }
}

/// The directory of all data where none is named.
fn default_directory() -> anyhow::Result<std::path::PathBuf> {
    let data = match std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()) {
        Some(data) => std::path::PathBuf::from(data),
        None => std::env::home_dir()
            .context("there is no home directory: name one with --data-dir")?
            .join(".local")
            .join("share"),
    };
    Ok(data.join("warren-serve"))
}

/// Loopback, as nobody else should reach what runs on somebody's machine.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// In a pod whoever reaches the pod may come.
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
