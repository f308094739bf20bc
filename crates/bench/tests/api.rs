//! `warren-bench api` against a virtual cluster in the test's own process: small, so that it shows that it works.

use std::process::{Command, Output};

use anyhow::{Context, ensure};
use serde_json::Value;
use warren_test_kit::{Kubectl, TestFleet};

async fn bench(fleet: &TestFleet, more: &[&str]) -> anyhow::Result<Output> {
    let kubeconfig = fleet.virtual_cluster("demo").await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren-bench"));
    command.arg("api").arg("--kubeconfig").arg(kubeconfig).args([
        "--clients=4",
        "--count=40",
        "--list-objects=30",
        "--lists=2",
        "--patches=3",
        "--watchers=3",
        "--changes=5",
    ]);
    command.args(more);
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

fn check(output: &Output) -> anyhow::Result<()> {
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let verbs = report
        .pointer("/verbs")
        .and_then(Value::as_array)
        .context("no verbs")?;
    let counts: Vec<(&str, u64)> = verbs
        .iter()
        .filter_map(|verb| Some((verb.get("verb")?.as_str()?, verb.get("requests")?.as_u64()?)))
        .collect();
    let expect = [
        ("create", 40),
        ("get", 40),
        ("update", 40),
        ("list", 2),
        ("patch", 3),
        ("apply", 3),
        ("watch", 15),
        ("delete", 40),
    ];
    assert_eq!(counts, expect);
    let failed = |verb: &&Value| verb.get("failures").and_then(Value::as_u64) != Some(0);
    assert_eq!(verbs.iter().find(failed), None);
    let version = report.pointer("/facts/version").and_then(Value::as_str);
    assert_eq!(version, Some("v1.36.2"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_is_measured_and_nothing_is_left_behind() -> anyhow::Result<()> {
    let fleet = TestFleet::start().await?;
    for protocol in [&["-o", "json"][..], &["-o", "json", "--http2"]] {
        check(&bench(&fleet, protocol).await?)?;
    }
    let kubectl = Kubectl::new(&fleet.virtual_cluster("demo").await?)?;
    let left = tokio::task::spawn_blocking(move || {
        kubectl.ok(&[
            "get",
            "configmaps",
            "-A",
            "-o",
            "name",
            "--field-selector=metadata.name!=kube-root-ca.crt",
        ])
    });
    let left = left.await??;
    assert!(!left.contains("load-"), "{left}");
    fleet.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_printed_for_people() -> anyhow::Result<()> {
    let fleet = TestFleet::start().await?;
    let output = bench(&fleet, &[]).await?;
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains("PER SEC") && text.contains("\ncreate "), "{text}");
    fleet.stop().await;
    Ok(())
}
