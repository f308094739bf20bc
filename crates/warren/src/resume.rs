//! `warren resume NAME`

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::pause::{Which, Wish};

/// Let a virtual cluster work again after 'warren pause': its pods come back
#[derive(Args, Debug)]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

impl Resume {
    pub(crate) async fn run(self, started: Instant) -> anyhow::Result<ExitCode> {
        self.which.make(Wish::Work, started).await
    }
}
