//! Real applications, from the manifests that their projects publish.

use warren_test_kit::{Folder, Kubectl, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");

fn check(manifests: &str, workloads: &[&str]) -> anyhow::Result<Kubectl> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok_with(&["apply", "-f", "-"], manifests)?;
    for workload in workloads {
        kubectl.ok(&["rollout", "status", workload, "--timeout=150s"])?;
    }
    let pods = kubectl.ok(&["get", "pods", "--no-headers"])?;
    let bad: Vec<&str> = pods.lines().filter(|line| !line.contains("Running")).collect();
    anyhow::ensure!(bad.is_empty(), "{bad:?}");
    let again = kubectl.ok_with(&["apply", "-f", "-"], manifests)?;
    // Templates of claims are defaulted inside, which kubectl takes for a change.
    let same = |line: &&str| line.ends_with(" unchanged") || line.starts_with("statefulset.apps/");
    let changed: Vec<&str> = again.lines().filter(|line| !same(line)).collect();
    anyhow::ensure!(changed.is_empty(), "{changed:?}");
    kubectl.ok_with(&["delete", "-f", "-", "--timeout=90s"], manifests)?;
    let left = kubectl.ok(&["get", "deployments,statefulsets,replicasets", "-o", "name"])?;
    anyhow::ensure!(left.is_empty(), "{left}");
    assert_eq!(warren.stop("TERM")?.code(), Some(0));
    Ok(kubectl)
}

#[test]
fn guestbook() -> anyhow::Result<()> {
    let workloads = [
        "deployment/frontend",
        "deployment/redis-master",
        "deployment/redis-replica",
    ];
    check(include_str!("apps/guestbook.yaml"), &workloads).map(drop)
}

#[test]
fn cassandra() -> anyhow::Result<()> {
    check(include_str!("apps/cassandra.yaml"), &["statefulset/cassandra"]).map(drop)
}

#[test]
fn online_boutique() -> anyhow::Result<()> {
    let workloads = [
        "deployment/adservice",
        "deployment/cartservice",
        "deployment/checkoutservice",
        "deployment/currencyservice",
        "deployment/emailservice",
        "deployment/frontend",
        "deployment/loadgenerator",
        "deployment/paymentservice",
        "deployment/productcatalogservice",
        "deployment/recommendationservice",
        "deployment/redis-cart",
        "deployment/shippingservice",
    ];
    check(include_str!("apps/online-boutique.yaml"), &workloads).map(drop)
}
