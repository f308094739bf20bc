//! `warren create NAME`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use warren_apimachinery::ObjectKey;
use warren_config::Phase;
use warren_remote::{Host, VirtualClusterObject};

use crate::config::file::read_spec;
use crate::failure::Hinted;
use crate::host_access::HostAccess;
use crate::output::{Output, say_json};
use crate::progress::Progress;
use crate::terminal::{Paint, Tone, say};
use crate::virtual_cluster_name::VirtualClusterName;

/// Create a virtual cluster on a host
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Its name
    name: VirtualClusterName,
    /// Namespace on the host, made if it is missing [default: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Its configuration in the vocabulary of vcluster.yaml; - reads standard input
    #[arg(short, long, visible_alias = "values", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Wait until its API answers (this is the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait
    #[arg(long, overrides_with = "wait", conflicts_with = "connect")]
    no_wait: bool,
    /// How long to wait, such as 30s or 2m
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
    /// Switch to its context when it is ready, as 'warren connect' does
    #[arg(long)]
    connect: bool,
    /// How to print what was made
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    host: HostAccess,
}

impl Create {
    pub(crate) async fn run(self, started: Instant) -> anyhow::Result<ExitCode> {
        let spec = match &self.file {
            Some(file) => read_spec(file)?,
            None => serde_json::json!({}),
        };
        let host = self.host.host().await?;
        let key = self.name.key(self.namespace.as_deref());
        host.ensure_namespace(&key.namespace).await?;
        let mut object = host.create(&key, &spec).await?;
        if !self.no_wait {
            object = wait_ready(&host, &key, self.timeout).await?;
        }
        if self.output == Output::Json {
            say_json(&object.0)?;
        } else {
            self.say_made(&key, started);
        }
        if self.connect {
            crate::connect::switch(&host, &key, &self.host.user_kubeconfig()?).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn say_made(&self, key: &ObjectKey, started: Instant) {
        let paint = Paint::of_output();
        let command = |verb: &str| {
            let namespace = self
                .namespace
                .as_ref()
                .map(|namespace| format!(" -n {namespace}"));
            let text = format!("warren {verb} {}{}", key.name, namespace.unwrap_or_default());
            paint.text(Tone::Command, &text)
        };
        if self.no_wait {
            say(&format!(
                "Virtual cluster \"{}\" is asked for: {} shows how it goes.",
                key.name,
                command("describe")
            ));
            return;
        }
        let ready = paint.text(Tone::Good, "ready");
        let took = started.elapsed().as_millis();
        say(&format!(
            "Virtual cluster \"{}\" is {ready} after {took} ms (namespace {}).",
            key.name, key.namespace
        ));
        if !self.connect {
            say(&format!("Use it: {}", command("connect")));
        }
    }
}

/// Waits until a virtual cluster is ready as it is wanted now.
pub(crate) async fn wait_ready(
    host: &Host,
    key: &ObjectKey,
    patience: Duration,
) -> anyhow::Result<VirtualClusterObject> {
    let progress = Progress::start(format!("waiting for virtual cluster \"{}\"", key.name));
    let mut last = None;
    let waiting = host.wait(key, |object| {
        let Some(object) = object else {
            // Not seen yet, or deleted by somebody else.
            return last.is_some().then(|| Err("it was deleted".to_owned()));
        };
        progress.set(format!(
            "virtual cluster \"{}\": {}",
            key.name,
            object.phase().as_str()
        ));
        last = Some(object.clone());
        match object.phase() {
            _ if object.is_ready() => Some(Ok(object.clone())),
            _ if object.is_failed() => Some(Err(object.complaint())),
            Phase::Terminating => Some(Err("it is being deleted".to_owned())),
            _ => None,
        }
    });
    let outcome = tokio::time::timeout(patience, waiting).await;
    drop(progress);
    let why = match outcome {
        Ok(answer) => match answer? {
            Ok(object) => return Ok(object),
            Err(why) => why,
        },
        Err(_) => format!("nothing came of it within {} s", patience.as_secs()),
    };
    bail!(Hinted::new(
        format!("virtual cluster \"{}\" is not ready: {why}", key.name),
        format!(
            "'warren describe {} -n {}' shows its state",
            key.name, key.namespace
        )
    ))
}

/// Such as `30s`, `2m`, `1m30s`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, seconds) in [("30s", 30), ("2m", 120), ("1m30s", 90), ("5", 5)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(duration("soon").is_err() && duration("-1s").is_err());
    }
}
