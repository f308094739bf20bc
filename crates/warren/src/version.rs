//! `warren version`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::output::{Output, say_json};
use crate::terminal::say;

/// The version of the binary.
pub(crate) const SHORT: &str = env!("CARGO_PKG_VERSION");

/// Print the versions of Warren and of the Kubernetes API that virtual clusters speak
#[derive(Args, Debug)]
pub(crate) struct Version {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Version {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let kubernetes = warren_fleet::KUBERNETES_VERSION;
        match self.output {
            Output::Table => say(&format!("warren {SHORT} (Kubernetes {kubernetes})")),
            Output::Json => say_json(&json!({"version": SHORT, "kubernetesVersion": kubernetes}))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
