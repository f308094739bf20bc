//! `warren pause NAME`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use warren_apimachinery::ObjectKey;
use warren_remote::{Host, VirtualClusterObject};

use crate::create::duration;
use crate::failure::Hinted;
use crate::host_access::HostAccess;
use crate::progress::Progress;
use crate::terminal::{Paint, Tone, say};
use crate::virtual_cluster_name::VirtualClusterName;

/// Let a virtual cluster rest: its pods are taken from the host, everything else is kept
///
/// Its API goes on answering. Pods are Pending until 'warren resume' brings them back.
#[derive(Args, Debug)]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// Which virtual cluster, and how long to wait for it.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// Its name
    name: VirtualClusterName,
    /// Its namespace on the host [default: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Wait until it is done (this is the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// How long to wait, such as 30s or 2m
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    host: HostAccess,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To rest.
    Rest,
    /// To work again.
    Work,
}

impl Wish {
    fn is_fulfilled(self, object: &VirtualClusterObject) -> bool {
        match self {
            Self::Rest => object.is_paused(),
            Self::Work => object.is_working(),
        }
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Rest => ("pausing", "paused"),
            Self::Work => ("resuming", "back at work"),
        }
    }
}

impl Pause {
    pub(crate) async fn run(self, started: Instant) -> anyhow::Result<ExitCode> {
        self.which.make(Wish::Rest, started).await
    }
}

impl Which {
    /// Says what is wanted, and waits for it.
    pub(crate) async fn make(self, wish: Wish, started: Instant) -> anyhow::Result<ExitCode> {
        let host = self.host.host().await?;
        let key = self.name.key(self.namespace.as_deref());
        let (doing, done) = wish.words();
        if wish.is_fulfilled(&host.find(&key).await?) {
            say(&format!("Virtual cluster \"{}\" is {done} already.", key.name));
            return Ok(ExitCode::SUCCESS);
        }
        host.set_paused(&key, wish == Wish::Rest).await?;
        if self.no_wait {
            say(&format!("Virtual cluster \"{}\" is {doing}.", key.name));
            return Ok(ExitCode::SUCCESS);
        }
        wait(&host, &key, wish, self.timeout).await?;
        let done = Paint::of_output().text(Tone::Good, done);
        let took = started.elapsed().as_millis();
        say(&format!(
            "Virtual cluster \"{}\" is {done} after {took} ms.",
            key.name
        ));
        Ok(ExitCode::SUCCESS)
    }
}

async fn wait(host: &Host, key: &ObjectKey, wish: Wish, patience: Duration) -> anyhow::Result<()> {
    let progress = Progress::start(format!("{} virtual cluster \"{}\"", wish.words().0, key.name));
    let waiting = host.wait(key, |object| match object {
        None => Some(Err("it was deleted".to_owned())),
        Some(object) if wish.is_fulfilled(object) => Some(Ok(())),
        Some(object) if object.is_failed() => Some(Err(object.complaint())),
        Some(_) => None,
    });
    let outcome = tokio::time::timeout(patience, waiting).await;
    drop(progress);
    let why = match outcome {
        Ok(answer) => match answer? {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        Err(_) => format!("nothing came of it within {} s", patience.as_secs()),
    };
    bail!(Hinted::new(
        format!(
            "virtual cluster \"{}\" is not {}: {why}",
            key.name,
            wish.words().1
        ),
        format!(
            "'warren describe {} -n {}' shows its state",
            key.name, key.namespace
        )
    ))
}
