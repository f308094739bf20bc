//! `kubectl get -w`: a pod is seen on its way from Pending to Running to gone.

use std::time::Duration;

use anyhow::Context;
use warren_test_kit::{Folder, Lines, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_watch_shows_every_state_of_a_pod_in_order() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    let mut watching = kubectl.start(&["get", "pods", "-w", "--output-watch-events"])?;
    let mut lines = Lines::of(watching.stdout.take().context("no output")?);
    kubectl.ok(&["run", "one", "--image=one:1"])?;
    let outcome = (|| -> anyhow::Result<()> {
        lines.until(PATIENCE, |line| {
            line.starts_with("ADDED") && line.contains("Pending")
        })?;
        lines.until(PATIENCE, |line| {
            line.starts_with("MODIFIED") && line.contains("1/1") && line.contains("Running")
        })?;
        kubectl.ok(&["delete", "pod", "one", "--wait=false", "--grace-period=1"])?;
        lines.until(PATIENCE, |line| {
            line.starts_with("MODIFIED") && line.contains("Terminating")
        })?;
        lines.until(PATIENCE, |line| line.starts_with("DELETED"))?;
        Ok(())
    })();
    watching.kill()?;
    watching.wait()?;
    outcome
}

#[test]
fn logs_and_exec_say_that_the_node_is_simulated() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok(&["run", "one", "--image=one:1"])?;
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/one", "--timeout=60s"])?;
    let logs = kubectl.ok(&["logs", "one"])?;
    assert!(logs.contains("is simulated"), "{logs}");
    let exec = kubectl.run(&["exec", "one", "--", "true"])?;
    assert_ne!(exec.code, 0);
    assert!(exec.err.contains("is simulated"), "{}{}", exec.out, exec.err);
    Ok(())
}
