//! Real kubectl.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, bail};

use crate::folder::Folder;

/// kubectl with one kubeconfig: the program that `$WARREN_TEST_KUBECTL` names, else the one on the path.
pub struct Kubectl {
    program: OsString,
    kubeconfig: PathBuf,
    home: Folder,
}

/// What kubectl answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit code; -1 for a signal.
    pub code: i32,
}

impl Kubectl {
    /// With a kubeconfig and a home of its own.
    ///
    /// # Errors
    /// When the home cannot be made.
    pub fn new(kubeconfig: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            program: std::env::var_os("WARREN_TEST_KUBECTL").unwrap_or_else(|| "kubectl".into()),
            kubeconfig: kubeconfig.to_owned(),
            home: Folder::new()?,
        })
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let output = self.command(arguments).stdin(Stdio::null()).output();
        Ok(Answer::of(output.with_context(|| self.context(arguments))?))
    }

    /// Runs it to its success and answers standard output.
    ///
    /// # Errors
    /// When it fails; everything it said is in the error.
    pub fn ok(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.run(arguments)?;
        answer.success().with_context(|| self.context(arguments))
    }

    /// Runs it with a text on its standard input (`-f -`) to its success.
    ///
    /// # Errors
    /// As `ok`.
    pub fn ok_with(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let answer = self.run_with(arguments, input)?;
        answer.success().with_context(|| self.context(arguments))
    }

    /// Runs it with a text on its standard input, whatever comes of it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> anyhow::Result<Answer> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| self.context(arguments))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        Ok(Answer::of(child.wait_with_output()?))
    }

    /// Starts it, with its standard output piped, for what does not end by itself.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> anyhow::Result<Child> {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.context(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(&self.program);
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        command
    }

    fn context(&self, arguments: &[&str]) -> String {
        format!("kubectl {}", arguments.join(" "))
    }
}

impl Answer {
    fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Standard output of a success.
    ///
    /// # Errors
    /// When it is none.
    pub fn success(self) -> anyhow::Result<String> {
        if self.code != 0 {
            bail!("exit code {}\n{}{}", self.code, self.out, self.err);
        }
        Ok(self.out)
    }
}
