//! `warren connect NAME [-- COMMAND…]`

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use warren_apimachinery::ObjectKey;
use warren_remote::{Host, Made};

use crate::failure::Hinted;
use crate::host_access::HostAccess;
use crate::terminal::{Paint, Tone, say};
use crate::user_kubeconfig::UserKubeconfig;
use crate::virtual_cluster_name::VirtualClusterName;

/// What shells answer for a command that was ended by a signal: this and the signal's number.
const BY_SIGNAL: i32 = 128;
/// What shells answer for a command that is not there.
const NO_COMMAND: u8 = 127;

/// Switch to a virtual cluster, or run one command in it
#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// Its name
    name: VirtualClusterName,
    /// Its namespace on the host [default: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Print its kubeconfig and change nothing
    #[arg(long, conflicts_with = "command")]
    print: bool,
    /// Run this with $KUBECONFIG leading to it, change nothing, and answer its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    host: HostAccess,
}

impl Connect {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let host = self.host.host().await?;
        let key = self.name.key(self.namespace.as_deref());
        if self.print {
            say(kubeconfig(&host, &key).await?.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        if let Some((program, arguments)) = self.command.split_first() {
            return run_in(&kubeconfig(&host, &key).await?, program, arguments).await;
        }
        switch(&host, &key, &self.host.user_kubeconfig()?).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes a virtual cluster the user's current context.
pub(crate) async fn switch(host: &Host, key: &ObjectKey, user: &UserKubeconfig) -> anyhow::Result<()> {
    let made = Made {
        name: key.name.to_string(),
        namespace: key.namespace.to_string(),
        host: host.server().to_owned(),
        host_context: host.context().to_owned(),
        previous_context: String::new(),
    };
    let context = user.connect(&kubeconfig(host, key).await?, made)?;
    let paint = Paint::of_output();
    let context = paint.text(Tone::Good, &context);
    say(&format!(
        "The current context is now {context} ({}).",
        user.path().display()
    ));
    say(&format!(
        "Go back: {}",
        paint.text(Tone::Command, "warren disconnect")
    ));
    Ok(())
}

/// The admin's kubeconfig of a virtual cluster that is ready.
async fn kubeconfig(host: &Host, key: &ObjectKey) -> anyhow::Result<String> {
    let object = host.find(key).await?;
    if !object.is_ready() {
        let why = match object.complaint() {
            why if why.is_empty() => format!("it is {}", object.phase().as_str()),
            why => why,
        };
        bail!(Hinted::new(
            format!("virtual cluster \"{}\" is not ready: {why}", key.name),
            format!(
                "'warren describe {} -n {}' shows its state",
                key.name, key.namespace
            )
        ));
    }
    Ok(host.kubeconfig(key).await?)
}

/// Runs a command with a kubeconfig of its own, which is gone afterwards.
async fn run_in(kubeconfig: &str, program: &OsString, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let mut file = tempfile::Builder::new()
        .prefix("warren-kubeconfig-")
        .tempfile()
        .context("cannot make a temporary file")?;
    file.write_all(kubeconfig.as_bytes())
        .context("cannot write a temporary file")?;
    // A terminal sends these to the command, too: it decides, and we outlive it to clean up.
    let _interrupts = signal(SignalKind::interrupt()).context("cannot handle signals")?;
    let _quits = signal(SignalKind::quit()).context("cannot handle signals")?;
    let spawned = std::process::Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", file.path())
        .spawn();
    let mut child = match spawned {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            crate::terminal::tell(&format!("Error: {}: command not found", program.display()));
            return Ok(ExitCode::from(NO_COMMAND));
        }
        child => child.with_context(|| format!("cannot run {}", program.display()))?,
    };
    let status = tokio::task::spawn_blocking(move || child.wait()).await??;
    Ok(exit_code(status))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| BY_SIGNAL + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_exit_code_is_passed_on_as_shells_do() {
        let status = ExitStatus::from_raw;
        assert_eq!(exit_code(status(3 << 8)), ExitCode::from(3));
        assert_eq!(exit_code(status(15)), ExitCode::from(143));
        assert_eq!(exit_code(status(0)), ExitCode::SUCCESS);
    }
}
