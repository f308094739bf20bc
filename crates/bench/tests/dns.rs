//! `warren-bench dns` against a virtual cluster in the test's own process: small, so that it shows that it works.

use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;
use warren_fleet::virtual_cluster_id;
use warren_test_kit::TestFleet;

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_changes_are_measured() -> anyhow::Result<()> {
    let fleet = TestFleet::start().await?;
    let kubeconfig = fleet.virtual_cluster("demo").await?;
    let tenant = fleet.embedded().fleet().tenant(&virtual_cluster_id("demo"));
    let server = tenant.and_then(|tenant| tenant.dns()).context("no name server")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren-bench"));
    let flags = ["--clients=4", "--count=400", "--changes=3", "-o", "json"];
    command
        .arg("dns")
        .arg("--server")
        .arg(server.to_string())
        .args(flags);
    command.arg("--kubeconfig").arg(kubeconfig);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(report.pointer("/queries").and_then(Value::as_u64), Some(400));
    assert_eq!(report.pointer("/lost").and_then(Value::as_u64), Some(0));
    assert!(
        report
            .pointer("/changeToAnswer/p50Ms")
            .and_then(Value::as_f64)
            .is_some()
    );
    fleet.stop().await;
    Ok(())
}
