//! Changes of what stands: strategic patches, `kubectl edit`, and server-side apply with a second manager.

use warren_test_kit::{Folder, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");

fn deployment(image: &str, replicas: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
{replicas}  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
      - name: web
        image: {image}
"
    )
}

#[test]
fn a_strategic_patch_merges_containers_by_name() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok_with(&["apply", "-f", "-"], &deployment("web:1", ""))?;
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"proxy","image":"proxy:1"}]}}}}"#;
    kubectl.ok(&["patch", "deployment", "web", "-p", patch])?;
    let images = [
        "get",
        "deployment",
        "web",
        "-o",
        "jsonpath={.spec.template.spec.containers[*].image}",
    ];
    let mut now: Vec<String> = kubectl
        .ok(&images)?
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    now.sort();
    assert_eq!(now, ["proxy:1", "web:1"]);
    let remove = r#"{"spec":{"template":{"spec":{"containers":[{"name":"proxy","$patch":"delete"}]}}}}"#;
    kubectl.ok(&["patch", "deployment", "web", "-p", remove])?;
    assert_eq!(kubectl.ok(&images)?, "web:1");
    kubectl.ok(&["label", "deployment", "web", "tier=front"])?;
    kubectl.ok(&["annotate", "deployment", "web", "note=kept"])?;
    kubectl.ok_with(&["apply", "-f", "-"], &deployment("web:2", ""))?;
    assert_eq!(kubectl.ok(&images)?, "web:2");
    let label = [
        "get",
        "deployment",
        "web",
        "-o",
        "jsonpath={.metadata.labels.tier} {.metadata.annotations.note}",
    ];
    assert_eq!(kubectl.ok(&label)?, "front kept");
    Ok(())
}

#[test]
fn a_second_manager_of_a_field_is_a_conflict_until_it_is_forced() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    let apply = |manager: &str| -> [String; 5] {
        [
            "apply",
            "--server-side",
            "-f",
            "-",
            &format!("--field-manager={manager}"),
        ]
        .map(str::to_owned)
    };
    let (alice, bob) = (apply("alice"), apply("bob"));
    let alice: Vec<&str> = alice.iter().map(String::as_str).collect();
    let bob: Vec<&str> = bob.iter().map(String::as_str).collect();
    let said = kubectl.ok_with(&alice, &deployment("web:1", "  replicas: 2\n"))?;
    assert_eq!(said, "deployment.apps/web serverside-applied\n");

    let conflict = kubectl.run_with(&bob, &deployment("web:1", "  replicas: 5\n"))?;
    assert_eq!(conflict.code, 1);
    let expect = "Apply failed with 1 conflict: conflict with \"alice\": .spec.replicas";
    assert!(conflict.err.contains(expect), "{}", conflict.err);

    let force = [&bob[..], &["--force-conflicts"]].concat();
    kubectl.ok_with(&force, &deployment("web:1", "  replicas: 5\n"))?;
    let replicas = ["get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(kubectl.ok(&replicas)?, "5");
    // Alice no longer says how many; bob's number stays.
    kubectl.ok_with(&alice, &deployment("web:1", ""))?;
    assert_eq!(kubectl.ok(&replicas)?, "5");
    let managers = [
        "get",
        "deployment",
        "web",
        "--show-managed-fields",
        "-o",
        "jsonpath={.metadata.managedFields[?(@.operation==\"Apply\")].manager}",
    ];
    let said = kubectl.ok(&managers)?;
    let mut managers: Vec<&str> = said.split_whitespace().collect();
    managers.sort_unstable();
    assert_eq!(managers, ["alice", "bob"]);
    Ok(())
}

#[test]
fn a_stale_replace_is_a_conflict() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok(&["create", "configmap", "a", "--from-literal=x=1"])?;
    let old = kubectl.ok(&["get", "configmap", "a", "-o", "yaml"])?;
    kubectl.ok(&[
        "patch",
        "configmap",
        "a",
        "--type=json",
        "-p",
        r#"[{"op":"replace","path":"/data/x","value":"2"}]"#,
    ])?;
    let stale = kubectl.run_with(&["replace", "-f", "-"], &old)?;
    assert_eq!(stale.code, 1);
    assert!(
        stale
            .err
            .contains("the object has been modified; please apply your changes to the latest version"),
        "{}",
        stale.err
    );
    Ok(())
}
