//! `cargo xtask fuzz`: runs the targets of `fuzz/`, which stand outside the workspace because they need a nightly
//! compiler.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

const TARGETS: &str = "fuzz/fuzz_targets";
/// As large as a request's body may be: what grows with the square of its input shows.
const MAX_LENGTH: &str = "-max_len=65536";

/// Runs one target, or `all`, for so many seconds each.
pub(crate) fn run(name: &str, seconds: &str) -> Result<()> {
    let seconds: u32 = seconds.parse().context("how many seconds?")?;
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(TARGETS)? {
        let path = entry?.path();
        targets.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    targets.sort();
    if name != "all" {
        if !targets.iter().any(|target| target == name) {
            bail!("no target {name}; there are {}", targets.join(", "));
        }
        targets.retain(|target| target == name);
    }
    for target in targets {
        let found = format!("fuzz/corpus/{target}");
        let seeds = format!("fuzz/seeds/{target}");
        std::fs::create_dir_all(&found)?;
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "run", &target, &found]);
        if Path::new(&seeds).exists() {
            command.arg(&seeds);
        }
        command.args([
            "--",
            &format!("-max_total_time={seconds}"),
            MAX_LENGTH,
            "-timeout=5",
        ]);
        let status = command.status().context("cargo fuzz: is cargo-fuzz installed?")?;
        if !status.success() {
            bail!("{target} found something: see fuzz/artifacts/{target}");
        }
    }
    Ok(())
}
