//! A `warren up` of our own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::sleep;

/// How long it may take to write its kubeconfigs, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

/// A running process. Killed when dropped; `stop` ends it as a user would.
pub(super) struct Warren {
    child: Child,
    data: PathBuf,
}

impl Warren {
    /// Starts it. Ready is something else.
    pub(super) fn start(binary: &Path, data: &Path, port: u16, nodes: Option<u32>) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command
            .args(["up", "bench", "--no-kubeconfig", "--data-dir"])
            .arg(data);
        command.args(["--port", &port.to_string()]);
        if let Some(nodes) = nodes {
            command.args(["--nodes", &nodes.to_string()]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Self {
            child: child.with_context(|| format!("cannot run {}", binary.display()))?,
            data: data.to_owned(),
        })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The kubeconfig of its host.
    pub(super) async fn host_kubeconfig(&self) -> anyhow::Result<PathBuf> {
        let path = self.data.join("host.kubeconfig");
        let deadline = Instant::now() + PATIENCE;
        // The virtual cluster's is written last.
        while !self.data.join("bench.kubeconfig").exists() {
            if Instant::now() > deadline {
                bail!("warren up wrote no kubeconfig");
            }
            sleep(PAUSE).await;
        }
        Ok(path)
    }

    /// Ends it with SIGTERM and waits for that.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status();
        killed.context("cannot run kill")?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("warren up ended with {status}"),
                None => sleep(PAUSE).await,
            }
        }
        bail!("warren up did not end within {} s of SIGTERM", PATIENCE.as_secs())
    }
}

impl Drop for Warren {
    fn drop(&mut self) {
        // It may have ended; what is left of it is collected here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
