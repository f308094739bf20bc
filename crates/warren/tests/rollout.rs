//! `kubectl rollout` and `kubectl scale`: a Deployment is scaled, rolled out, rolled back and restarted.

use warren_test_kit::{Folder, Kubectl, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const STATUS: [&str; 4] = ["rollout", "status", "deployment/web", "--timeout=60s"];

fn image(kubectl: &Kubectl) -> anyhow::Result<String> {
    kubectl.ok(&[
        "get",
        "deployment",
        "web",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    ])
}

fn pods(kubectl: &Kubectl) -> anyhow::Result<Vec<String>> {
    let running =
        "{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}{{\"\\n\"}}{{end}}{{end}}";
    let template = format!("go-template={running}");
    let select = ["-l", "app=web", "--field-selector=status.phase=Running"];
    let said = kubectl.ok(&[&["get", "pods", "-o", &template][..], &select].concat())?;
    Ok(said.lines().map(str::to_owned).collect())
}

#[test]
fn a_deployment_is_scaled_rolled_out_rolled_back_and_restarted() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok(&["create", "deployment", "web", "--image=web:1", "--replicas=2"])?;
    kubectl.ok(&STATUS)?;

    kubectl.ok(&["scale", "deployment/web", "--replicas=5", "--current-replicas=2"])?;
    kubectl.ok(&STATUS)?;
    assert_eq!(
        kubectl.ok(&[
            "get",
            "deployment",
            "web",
            "-o",
            "jsonpath={.status.readyReplicas}"
        ])?,
        "5"
    );
    kubectl.ok(&["scale", "deployment/web", "--replicas=2"])?;
    kubectl.ok(&[
        "wait",
        "--for=jsonpath={.status.replicas}=2",
        "deployment/web",
        "--timeout=60s",
    ])?;
    let stale = kubectl.run(&["scale", "deployment/web", "--replicas=9", "--current-replicas=5"])?;
    assert_eq!(stale.code, 1, "{}", stale.err);

    kubectl.ok(&["set", "image", "deployment/web", "web=web:2"])?;
    kubectl.ok(&STATUS)?;
    assert_eq!(image(&kubectl)?, "web:2");
    let history = kubectl.ok(&["rollout", "history", "deployment/web"])?;
    let revisions: Vec<&str> = history
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(revisions.ends_with(&["1", "2"]), "{history}");

    kubectl.ok(&["rollout", "undo", "deployment/web"])?;
    kubectl.ok(&STATUS)?;
    assert_eq!(image(&kubectl)?, "web:1");

    let before = pods(&kubectl)?;
    kubectl.ok(&["rollout", "restart", "deployment/web"])?;
    kubectl.ok(&STATUS)?;
    let after = pods(&kubectl)?;
    assert_eq!((before.len(), after.len()), (2, 2), "{before:?} {after:?}");
    assert!(
        after.iter().all(|pod| !before.contains(pod)),
        "{before:?} {after:?}"
    );

    kubectl.ok(&["rollout", "pause", "deployment/web"])?;
    kubectl.ok(&["set", "image", "deployment/web", "web=web:3"])?;
    kubectl.ok(&["rollout", "resume", "deployment/web"])?;
    kubectl.ok(&STATUS)?;
    assert_eq!(image(&kubectl)?, "web:3");
    Ok(())
}

#[test]
fn a_rollout_that_cannot_go_on_is_told() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok(&["create", "deployment", "web", "--image=web:1"])?;
    kubectl.ok(&STATUS)?;
    // No node has so much.
    let patch = r#"{"spec":{"progressDeadlineSeconds":2,"template":{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"9999"}}}]}}}}"#;
    kubectl.ok(&["patch", "deployment", "web", "-p", patch])?;
    let status = kubectl.run(&STATUS)?;
    assert_eq!(status.code, 1, "{}", status.out);
    assert!(
        status.err.contains("exceeded its progress deadline"),
        "{}",
        status.err
    );
    assert_eq!(pods(&kubectl)?.len(), 1);
    Ok(())
}
