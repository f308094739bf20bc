//! What the host sees of a virtual cluster, what another one sees of it (nothing), and what is left when it goes.

use std::time::Duration;

use anyhow::ensure;
use warren_test_kit::{Folder, Kubectl, Warren, eventually};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const SHOP: &str = include_str!("apps/shop.yaml");
const PATIENCE: Duration = Duration::from_secs(60);

fn names(kubectl: &Kubectl, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let said = kubectl.ok(&[&["get", "-o", "name"][..], arguments].concat())?;
    let mut names: Vec<String> = said.lines().map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

#[test]
fn the_host_shows_translated_pods_and_only_those() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let (kubectl, host) = (warren.kubectl()?, warren.host_kubectl()?);
    kubectl.ok_with(&["apply", "-f", "-"], SHOP)?;
    for workload in ["deployment/web", "statefulset/db", "daemonset/agent"] {
        kubectl.ok(&["rollout", "status", workload, "--timeout=60s", "-n", "shop"])?;
    }
    let expect = || -> anyhow::Result<Vec<String>> {
        let virtual_pods = names(&kubectl, &["pods", "-n", "shop"])?;
        let translated = virtual_pods.iter().map(|pod| format!("{pod}-x-shop-x-demo"));
        Ok(translated.collect())
    };
    eventually(PATIENCE, || {
        let (seen, expect) = (names(&host, &["pods", "-A"])?, expect()?);
        ensure!(seen == expect, "{seen:?} is not {expect:?}");
        Ok(())
    })?;
    // Controllers work in the virtual cluster: the host has pods, none of what made them.
    for kind in [
        "deployments",
        "replicasets",
        "statefulsets",
        "daemonsets",
        "jobs",
        "cronjobs",
    ] {
        assert!(names(&host, &[kind, "-A"])?.is_empty(), "{kind}");
    }
    assert!(!names(&host, &["namespaces"])?.contains(&"namespace/shop".to_owned()));
    Ok(())
}

#[test]
fn a_second_virtual_cluster_sees_nothing_of_the_first() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    let data = warren.data().display().to_string();
    let created = folder
        .command(WARREN)
        .args(["create", "other", "--data-dir", &data])
        .output()?;
    ensure!(
        created.status.success(),
        "{}",
        String::from_utf8_lossy(&created.stderr)
    );
    let printed = folder
        .command(WARREN)
        .args(["connect", "other", "--print", "--data-dir", &data])
        .output()?;
    let kubeconfig = folder.join("other.kubeconfig");
    std::fs::write(&kubeconfig, printed.stdout)?;
    let other = Kubectl::new(&kubeconfig)?;
    kubectl.ok(&["create", "namespace", "secret-plans"])?;
    kubectl.ok(&[
        "create",
        "deployment",
        "web",
        "--image=web:1",
        "-n",
        "secret-plans",
    ])?;
    kubectl.ok(&[
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
        "-n",
        "secret-plans",
    ])?;
    for kind in ["pods", "deployments", "nodes"] {
        assert!(names(&other, &[kind, "-A"])?.is_empty(), "{kind}");
    }
    assert!(!names(&other, &["namespaces"])?.contains(&"namespace/secret-plans".to_owned()));
    // The same names do not meet on the host.
    other.ok(&["create", "namespace", "secret-plans"])?;
    other.ok(&[
        "create",
        "deployment",
        "web",
        "--image=other:1",
        "-n",
        "secret-plans",
    ])?;
    other.ok(&[
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
        "-n",
        "secret-plans",
    ])?;
    assert_eq!(names(&warren.host_kubectl()?, &["pods", "-A"])?.len(), 2);
    // Nor do its credentials open the first one's door.
    let server = kubectl.ok(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"])?;
    let foreign = other.run(&["get", "pods", "--server", &server, "--insecure-skip-tls-verify"])?;
    assert_ne!(foreign.code, 0);

    let deleted = folder
        .command(WARREN)
        .args(["delete", "other", "--data-dir", &data])
        .output()?;
    ensure!(
        deleted.status.success(),
        "{}",
        String::from_utf8_lossy(&deleted.stderr)
    );
    let host = warren.host_kubectl()?;
    eventually(PATIENCE, || {
        let left = names(&host, &["pods,services,secrets,configmaps", "-n", "warren-other"])?;
        ensure!(left == ["configmap/kube-root-ca.crt"], "{left:?}");
        Ok(())
    })?;
    assert_eq!(names(&kubectl, &["pods", "-A"])?.len(), 1);
    Ok(())
}

#[test]
fn a_deleted_namespace_leaves_nothing_behind_on_either_side() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let (kubectl, host) = (warren.kubectl()?, warren.host_kubectl()?);
    let everything = "pods,services,configmaps,secrets,persistentvolumeclaims";
    let before = names(&host, &[everything, "-A"])?;
    kubectl.ok_with(&["apply", "-f", "-"], SHOP)?;
    kubectl.ok(&[
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
        "-n",
        "shop",
    ])?;
    kubectl.ok(&["delete", "namespace", "shop", "--timeout=60s"])?;
    let gone = kubectl.run(&["get", "namespace", "shop"])?;
    assert_eq!(
        gone.err,
        "Error from server (NotFound): namespaces \"shop\" not found\n"
    );
    assert!(names(&kubectl, &["pods,deployments,statefulsets,jobs", "-A"])?.is_empty());
    eventually(PATIENCE, || {
        // What every namespace of a virtual cluster has stays.
        let left = names(&host, &[everything, "-A"])?;
        let left: Vec<_> = left.iter().filter(|name| !before.contains(name)).collect();
        ensure!(left.iter().all(|name| !name.contains("-x-shop-x-")), "{left:?}");
        Ok(())
    })
}
