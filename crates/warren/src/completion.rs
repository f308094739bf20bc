//! `warren completion SHELL`

use std::io;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command_line::CommandLine;

/// Print the completion script of a shell
#[derive(Args, Debug)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        clap_complete::generate(
            self.shell,
            &mut CommandLine::command(),
            "warren",
            &mut io::stdout(),
        );
        Ok(ExitCode::SUCCESS)
    }
}
