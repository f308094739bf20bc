//! `cargo xtask test`: everything that must hold before a change lands, in the order of what fails fastest.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::{tidy, tools};

/// Formats, lints, tidy, tests, doc tests, docs.
pub(crate) fn run() -> anyhow::Result<()> {
    let started = Instant::now();
    step("fmt", cargo(&["fmt", "--all", "--check"]))?;
    println!("==> tidy");
    tidy::run()?;
    let tools = tools::clients()?;
    tools::nextest()?;
    step(
        "clippy",
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )?;
    // The tests drive the binary that a user would run; nextest does not build it for other crates' tests.
    step("build", cargo(&["build", "--workspace", "--bins"]))?;
    step(
        "tests",
        cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]).envs(tools),
    )?;
    step("doc tests", cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
    step(
        "docs",
        cargo(&["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    println!("==> all green after {} s", started.elapsed().as_secs());
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(tools::root());
    command
}

fn step(name: &str, mut command: impl std::borrow::BorrowMut<Command>) -> anyhow::Result<()> {
    println!("==> {name}");
    let status = command
        .borrow_mut()
        .status()
        .with_context(|| format!("{name}: could not start"))?;
    if !status.success() {
        bail!("{name} failed");
    }
    Ok(())
}
