//! The list of commands, and how each is called.

use std::future::Future;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

use crate::{
    completion, config, connect, create, delete, describe, disconnect, failure, install, list, pause, resume,
    serve, uninstall, up, version,
};

/// How many threads serve `up`; the committer of the journal and blocking calls have threads of their own.
const MAX_WORKERS: usize = 4;
/// A blocking call is short (opening the journal, resolving a name); a bound keeps stacks few.
const MAX_BLOCKING: usize = 16;

/// Virtual Kubernetes clusters: each with its own API, their pods on one host cluster.
#[derive(Debug, Parser)]
#[command(name = "warren", version = version::SHORT, propagate_version = false, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(Box<up::Up>),
    Serve(Box<serve::Serve>),
    Create(create::Create),
    #[command(visible_alias = "ls")]
    List(list::List),
    Connect(connect::Connect),
    Disconnect(disconnect::Disconnect),
    Describe(describe::Describe),
    Delete(delete::Delete),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Install(Box<install::Install>),
    Uninstall(uninstall::Uninstall),
    Config(config::Config),
    Version(version::Version),
    Completion(completion::Completion),
}

/// Parses the arguments and runs the command. `started` is when the process began.
pub(crate) fn run(started: Instant) -> ExitCode {
    let line = CommandLine::parse();
    warren_telemetry::init("warn", warren_telemetry::Format::Text);
    match dispatch(line.command, started) {
        Ok(code) => code,
        Err(error) => {
            failure::print(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, started: Instant) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(up) => serving(up.run(started)),
        Command::Serve(serve) => serving(serve.run(started)),
        Command::Create(create) => asking(create.run(started)),
        Command::List(list) => asking(list.run()),
        Command::Connect(connect) => asking(connect.run()),
        Command::Disconnect(disconnect) => disconnect.run(),
        Command::Describe(describe) => asking(describe.run()),
        Command::Delete(delete) => asking(delete.run(started)),
        Command::Pause(pause) => asking(pause.run(started)),
        Command::Resume(resume) => asking(resume.run(started)),
        Command::Install(install) => asking(install.run()),
        Command::Uninstall(uninstall) => asking(uninstall.run()),
        Command::Config(config) => config.run(),
        Command::Version(version) => version.run(),
        Command::Completion(completion) => completion.run(),
    }
}

/// Runs what serves others.
fn serving(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(MAX_WORKERS))
        .max_blocking_threads(MAX_BLOCKING)
        .enable_all()
        .build()?
        .block_on(work)
}

/// Runs what asks a host: one thread is enough.
fn asking(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
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
