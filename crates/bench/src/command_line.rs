//! The list of measurements.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::tell;
use crate::{api, definitions, dns, fan_out, footprint, nodes, sync};

/// Measures Warren, and any other Kubernetes API alike
#[derive(Debug, Parser)]
#[command(name = "warren-bench", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Api(api::Api),
    Definitions(definitions::Definitions),
    Dns(dns::Dns),
    FanOut(fan_out::FanOut),
    Footprint(footprint::Footprint),
    Nodes(nodes::Nodes),
    Sync(sync::Sync),
}

/// Parses the arguments and runs the measurement. One thread: the load must leave the machine to what is measured.
pub(crate) fn run() -> ExitCode {
    let line = CommandLine::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match line.command {
                Command::Api(api) => api.run().await,
                Command::Definitions(definitions) => definitions.run().await,
                Command::Dns(dns) => dns.run().await,
                Command::FanOut(fan_out) => fan_out.run().await,
                Command::Footprint(footprint) => footprint.run().await,
                Command::Nodes(nodes) => nodes.run().await,
                // Its watches note what they see without locks.
                Command::Sync(sync) => tokio::task::LocalSet::new().run_until(sync.run()).await,
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("Error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
