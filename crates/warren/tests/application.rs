//! A multi-tier application from its own YAML: applied, available, described, explained, applied again.

use std::time::Duration;

use warren_test_kit::{Folder, Kubectl, Warren, eventually};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const SHOP: &str = include_str!("apps/shop.yaml");
const PATIENCE: Duration = Duration::from_secs(60);

fn check(kubectl: &Kubectl, arguments: &[&str], expect: &str) -> anyhow::Result<()> {
    let said = kubectl.ok(arguments)?;
    anyhow::ensure!(said.contains(expect), "{arguments:?}: no {expect:?} in\n{said}");
    Ok(())
}

#[test]
fn every_part_of_an_application_does_what_its_kind_does() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    kubectl.ok_with(&["apply", "-f", "-"], SHOP)?;
    let shop = ["-n", "shop"];
    for workload in ["deployment/web", "statefulset/db", "daemonset/agent"] {
        kubectl.ok(&["rollout", "status", workload, "--timeout=60s", shop[0], shop[1]])?;
    }
    kubectl.ok(&[
        "wait",
        "--for=condition=complete",
        "job/import",
        "--timeout=60s",
        "-n",
        "shop",
    ])?;
    kubectl.ok(&[
        "wait",
        "--for=condition=Available",
        "deployment/web",
        "--timeout=60s",
        "-n",
        "shop",
    ])?;
    kubectl.ok(&[
        "wait",
        "--for=jsonpath={.status.phase}=Bound",
        "pvc",
        "--all",
        "--timeout=60s",
        "-n",
        "shop",
    ])?;

    check(&kubectl, &["get", "deployment", "web", "-n", "shop"], "3/3")?;
    check(&kubectl, &["get", "statefulset", "db", "-n", "shop"], "2/2")?;
    check(
        &kubectl,
        &["get", "cronjob", "report", "-n", "shop"],
        "0 3 * * *   Europe/Berlin",
    )?;
    check(&kubectl, &["get", "ingress", "web", "-n", "shop"], "shop.example")?;
    check(&kubectl, &["get", "networkpolicy", "db", "-n", "shop"], "app=db")?;
    check(&kubectl, &["get", "hpa", "web", "-n", "shop"], "Deployment/web")?;
    check(
        &kubectl,
        &["describe", "deployment", "web", "-n", "shop"],
        "3 desired | 3 updated | 3 total | 3 available",
    )?;
    let pods = kubectl.ok(&["get", "pods", "-l", "app=web", "-o", "name", "-n", "shop"])?;
    let pod = pods.lines().next().unwrap_or_default();
    check(
        &kubectl,
        &["describe", pod, "-n", "shop"],
        "<set to the key 'PASSWORD' in secret 'web'>",
    )?;
    eventually(PATIENCE, || {
        check(
            &kubectl,
            &["get", "pdb", "web", "-n", "shop"],
            "2               N/A               1",
        )
    })?;
    eventually(PATIENCE, || {
        let slices = [
            "get",
            "endpointslices",
            "-l",
            "kubernetes.io/service-name=web",
            "-n",
            "shop",
        ];
        let addresses = ["-o", "jsonpath={.items[*].endpoints[*].addresses[0]}"];
        let said = kubectl.ok(&[&slices[..], &addresses[..]].concat())?;
        anyhow::ensure!(said.split_whitespace().count() == 3, "{said}");
        Ok(())
    })?;
    let answer = |verb: &str, what: &str| {
        kubectl.run(&[
            "auth",
            "can-i",
            verb,
            what,
            "-n",
            "shop",
            "--as=system:serviceaccount:shop:web",
        ])
    };
    assert_eq!(answer("list", "configmaps")?.out, "yes\n");
    assert_eq!(answer("delete", "configmaps")?.out, "no\n");
    assert_eq!(answer("list", "secrets")?.out, "no\n");

    // What is listed here changes nothing, but kubectl cannot know: it sends text that reads back as data, lists that
    // are defaulted inside, and selectors that are replaced as a whole. The rest it finds unchanged by itself.
    let generation = [
        "get",
        "statefulset",
        "db",
        "-o",
        "jsonpath={.metadata.generation}",
        "-n",
        "shop",
    ];
    let before = kubectl.ok(&generation)?;
    let again = kubectl.ok_with(&["apply", "-f", "-"], SHOP)?;
    let changed = again.lines().filter(|line| !line.ends_with(" unchanged"));
    let expect = [
        "secret/web configured",
        "statefulset.apps/db configured",
        "networkpolicy.networking.k8s.io/db configured",
        "poddisruptionbudget.policy/web configured",
    ];
    assert_eq!(changed.collect::<Vec<_>>(), expect);
    assert_eq!(kubectl.ok(&generation)?, before);
    Ok(())
}

#[test]
fn nested_fields_are_explained() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    check(
        &kubectl,
        &["explain", "deployment.spec.strategy.rollingUpdate.maxSurge"],
        "The maximum number of pods that can be scheduled above the desired number of",
    )?;
    check(
        &kubectl,
        &["explain", "pod.spec.containers.env.valueFrom"],
        "secretKeyRef",
    )?;
    check(
        &kubectl,
        &["explain", "hpa", "--api-version=autoscaling/v2"],
        "GROUP:      autoscaling",
    )?;
    check(
        &kubectl,
        &["explain", "cronjob.spec", "--recursive"],
        "timeZone\t<string>",
    )?;
    let host = warren.host_kubectl()?;
    check(
        &host,
        &["explain", "virtualcluster.spec"],
        "vocabulary of vcluster.yaml",
    )
}

#[test]
fn what_is_wrong_in_a_manifest_is_said_as_upstream_says_it() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let kubectl = warren.kubectl()?;
    let cases = [
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\ncolour: red\n",
            "strict decoding error: unknown field \"colour\"",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_b}\n",
            "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 70000}]}\n",
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: many}\n",
            "Deployment",
        ),
        (
            "apiVersion: v9\nkind: Nothing\nmetadata: {name: a}\n",
            "no matches for kind \"Nothing\" in version \"v9\"",
        ),
    ];
    for (manifest, expect) in cases {
        let answer = kubectl.run_with(&["create", "-f", "-"], manifest)?;
        assert_eq!(answer.code, 1, "{manifest}");
        assert!(
            answer.err.contains(expect),
            "{manifest}: no {expect:?} in {}",
            answer.err
        );
    }
    let missing = kubectl.run(&["get", "pod", "x"])?;
    assert_eq!(
        missing.err,
        "Error from server (NotFound): pods \"x\" not found\n"
    );
    let selector = kubectl.run(&["get", "pods", "-l", "a in"])?;
    assert!(
        selector.err.contains("unable to parse requirement"),
        "{}",
        selector.err
    );
    Ok(())
}
