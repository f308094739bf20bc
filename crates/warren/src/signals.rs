//! Ctrl-C and SIGTERM.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, from the first moment on. Ends with the process.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    stopping: bool,
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot handle SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot handle SIGTERM")?,
            stopping: false,
        })
    }

    /// Until somebody wants us to stop; at once if that was so before.
    pub(crate) async fn stop(&mut self) {
        if !self.stopping {
            self.again().await;
            self.stopping = true;
        }
    }

    /// Until the next signal.
    pub(crate) async fn again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
