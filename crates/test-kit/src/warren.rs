//! `warren up` as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::eventually::eventually;
use crate::folder::Folder;
use crate::kubectl::Kubectl;
use crate::lines::Lines;

/// How long a start or an end may take on a busy machine, in a debug build.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `warren up`. Killed when dropped.
pub struct Warren {
    child: Child,
    data: PathBuf,
    output: Lines,
}

impl Warren {
    /// Starts `binary up demo` with its data in `folder/data`, and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it does not become ready; what it said is in the error.
    pub fn up(binary: &str, folder: &Folder, more: &[&str]) -> anyhow::Result<Self> {
        let data = folder.join("data");
        let mut child = folder
            .command(binary)
            .args(["up", "demo", "--data-dir"])
            .arg(&data)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {binary}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let mut warren = Self {
            child,
            data,
            output: Lines::of(output),
        };
        warren.output.until(PATIENCE, |line| line.starts_with("Ctrl-C"))?;
        Ok(warren)
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        self.output.seen().join("\n")
    }

    /// The kubeconfig of its virtual cluster.
    pub fn virtual_kubeconfig(&self) -> PathBuf {
        self.data.join("demo.kubeconfig")
    }

    /// The kubeconfig of its host.
    pub fn host_kubeconfig(&self) -> PathBuf {
        self.data.join("host.kubeconfig")
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// kubectl in its virtual cluster.
    ///
    /// # Errors
    /// When kubectl's home cannot be made.
    pub fn kubectl(&self) -> anyhow::Result<Kubectl> {
        Kubectl::new(&self.virtual_kubeconfig())
    }

    /// kubectl on its host.
    ///
    /// # Errors
    /// When kubectl's home cannot be made.
    pub fn host_kubectl(&self) -> anyhow::Result<Kubectl> {
        Kubectl::new(&self.host_kubeconfig())
    }

    /// Ends it with a signal (`TERM`, `INT`) and answers how it ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self, signal: &str) -> anyhow::Result<ExitStatus> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status()?;
        if !sent.success() {
            bail!("kill -s {signal} {id} failed");
        }
        eventually(PATIENCE, || {
            self.child
                .try_wait()?
                .with_context(|| format!("it runs on after {signal}"))
        })
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Warren {
    fn drop(&mut self) {
        // It may have ended; what is left of it is collected here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
