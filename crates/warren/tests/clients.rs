//! The tools of tenants, as they come from their registries: the Python and JavaScript clients, Helm, kubectl of 1.32,
//! and an operator on kube-rs. `cargo xtask test` installs them and tells where they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use warren_test_kit::{Folder, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const PYTHON: &str = include_str!("clients/python/session.py");
const JAVASCRIPT: &str = include_str!("clients/javascript/session.mjs");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/chart");

/// A virtual cluster with nothing in it, and the home of the one who uses it.
struct Tenant {
    folder: Folder,
    warren: Warren,
}

impl Tenant {
    fn new() -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
        Ok(Self { folder, warren })
    }

    fn run(&self, program: impl Into<OsString>, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.folder.command(program.into());
        command
            .env("KUBECONFIG", self.warren.virtual_kubeconfig())
            .args(arguments);
        finish(&mut command)
    }
}

fn finish(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} does not start"))?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !output.status.success() {
        bail!("{command:?}: {}\n{out}{err}", output.status);
    }
    Ok(out.into_owned())
}

/// Where `cargo xtask test` installed something.
fn tool(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable).with_context(|| {
        format!("${variable} is not set: `cargo xtask test` installs the clients and sets it")
    })?;
    Ok(PathBuf::from(path))
}

fn contains(text: &str, expect: &str) -> anyhow::Result<()> {
    anyhow::ensure!(text.contains(expect), "no {expect:?} in\n{text}");
    Ok(())
}

#[test]
fn the_python_client_finds_kubernetes() -> anyhow::Result<()> {
    let python = tool("WARREN_TEST_PYTHON")?;
    let tenant = Tenant::new()?;
    tenant.run(python, &["-c", PYTHON])?;
    Ok(())
}

#[test]
fn the_javascript_client_finds_kubernetes() -> anyhow::Result<()> {
    let modules = tool("WARREN_TEST_NODE_MODULES")?;
    let tenant = Tenant::new()?;
    // A module resolves its imports beside itself.
    std::os::unix::fs::symlink(modules, tenant.folder.join("node_modules"))?;
    std::fs::write(tenant.folder.join("session.mjs"), JAVASCRIPT)?;
    tenant.run("node", &["session.mjs"])?;
    Ok(())
}

#[test]
fn helm_installs_upgrades_tests_rolls_back_and_uninstalls_a_chart() -> anyhow::Result<()> {
    let helm = tool("WARREN_TEST_HELM")?;
    let tenant = Tenant::new()?;
    let run = |arguments: &str| tenant.run(&helm, &arguments.split(' ').collect::<Vec<_>>());
    let kubectl = tenant.warren.kubectl()?;
    let colour = || {
        kubectl.ok(&[
            "get",
            "configmap",
            "shop",
            "-n",
            "apps",
            "-o",
            "jsonpath={.data.colour}",
        ])
    };

    let flags = "-n apps --wait --timeout 60s";
    contains(
        &run(&format!("install shop {CHART} --create-namespace {flags}"))?,
        "shop is blue.",
    )?;
    let seen = kubectl.ok(&["get", "configmap", "shop", "-n", "apps", "-o", "jsonpath={.data}"])?;
    contains(&seen, r#""hasPolicies":"true""#)?;
    let order = kubectl.ok(&["get", "order", "shop", "-n", "apps", "-o", "jsonpath={.spec}"])?;
    contains(&order, r#"{"count":1,"item":"tea"}"#)?;

    run(&format!(
        "upgrade shop {CHART} {flags} --set colour=red,replicas=3"
    ))?;
    contains(&run("test shop -n apps")?, "Succeeded")?;
    anyhow::ensure!(colour()? == "red");
    run(&format!("rollback shop 1 {flags}"))?;
    anyhow::ensure!(colour()? == "blue");
    contains(&run("history shop -n apps")?, "Rollback to 1")?;
    run("uninstall shop -n apps --wait")?;
    let left = kubectl.ok(&[
        "get",
        "deployments,services,roles,poddisruptionbudgets",
        "-n",
        "apps",
        "-o",
        "name",
    ])?;
    anyhow::ensure!(left.is_empty(), "left behind: {left}");
    Ok(())
}

/// The one on the machine's path, which is older as a rule, and the newest.
#[test]
fn kubectl_of_other_minor_versions_works_too() -> anyhow::Result<()> {
    for kubectl in [PathBuf::from("kubectl"), tool("WARREN_TEST_NEW_KUBECTL")?] {
        let tenant = Tenant::new()?;
        let run = |arguments: &str| tenant.run(&kubectl, &arguments.split(' ').collect::<Vec<_>>());
        contains(&run("version")?, "Server Version: v1.36")?;
        run("create deployment web --image=nginx --replicas=2")?;
        run("rollout status deployment/web --timeout=60s")?;
        contains(&run("get pods -o wide")?, "Running")?;
        contains(&run("explain deployment.spec.strategy")?, "rollingUpdate")?;
        contains(&run("api-resources")?, "deployments")?;
        run("set image deployment/web nginx=nginx:2")?;
        run("rollout status deployment/web --timeout=60s")?;
        contains(&run("auth can-i --list")?, "*.*")?;
        contains(&run("auth whoami")?, "system:masters")?;
        contains(&run("describe deployment web")?, "ScalingReplicaSet")?;
        run("delete deployment web --wait")?;
    }
    Ok(())
}

mod operator {
    //! An operator on kube-rs: it gives every ConfigMap with a label a Secret of the same name, which it owns.

    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use anyhow::Context as _;
    use futures_util::StreamExt;
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
    use kube::runtime::controller::{Action, Controller};
    use kube::runtime::wait::{await_condition, conditions};
    use kube::runtime::watcher;
    use kube::{Api, Client, Config, Resource, ResourceExt};

    use super::{Path, Tenant};

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn client(kubeconfig: &Path) -> anyhow::Result<Client> {
        let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig)?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    async fn reconcile(config: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
        let namespace = config.namespace().unwrap_or_default();
        let secrets: Api<Secret> = Api::namespaced(Client::clone(&client), &namespace);
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(config.name_any()),
                owner_references: config.controller_owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            string_data: config.data.clone(),
            ..Secret::default()
        };
        let parameters = PatchParams::apply("operator").force();
        secrets
            .patch(&config.name_any(), &parameters, &Patch::Apply(&secret))
            .await?;
        Ok(Action::await_change())
    }

    async fn session(client: Client) -> anyhow::Result<()> {
        let configs: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
        let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
        let watched = watcher::Config::default().labels("mirror=yes").streaming_lists();
        let operator = Controller::new(configs.clone(), watched)
            .owns(secrets.clone(), watcher::Config::default())
            .run(
                reconcile,
                |_, _, _| Action::requeue(Duration::from_secs(1)),
                Arc::new(client),
            )
            .for_each(|_| std::future::ready(()));
        let operator = tokio::spawn(operator);
        let mut config = ConfigMap {
            metadata: ObjectMeta {
                name: Some("mirrored".to_owned()),
                labels: Some(BTreeMap::from([("mirror".to_owned(), "yes".to_owned())])),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        for text in ["first", "second"] {
            config.data = Some(BTreeMap::from([("text".to_owned(), text.to_owned())]));
            if text == "first" {
                configs.create(&PostParams::default(), &config).await?;
            } else {
                configs
                    .patch("mirrored", &PatchParams::default(), &Patch::Merge(&config))
                    .await?;
            }
            let mirrored = |secret: Option<&Secret>| {
                let data = secret.and_then(|secret| secret.data.as_ref()?.get("text"));
                data.is_some_and(|data| data.0 == text.as_bytes())
            };
            let wait = await_condition(secrets.clone(), "mirrored", mirrored);
            tokio::time::timeout(PATIENCE, wait).await??;
        }
        // What is deleted comes back, until the owner goes too and the garbage collector with it.
        let before = secrets.get("mirrored").await?.uid().context("no uid")?;
        secrets.delete("mirrored", &DeleteParams::default()).await?;
        let back =
            |secret: Option<&Secret>| secret.is_some_and(|secret| secret.uid().as_ref() != Some(&before));
        tokio::time::timeout(PATIENCE, await_condition(secrets.clone(), "mirrored", back)).await??;
        let uid = secrets.get("mirrored").await?.uid().context("no uid")?;
        configs.delete("mirrored", &DeleteParams::foreground()).await?;
        let gone = await_condition(secrets, "mirrored", conditions::is_deleted(&uid));
        tokio::time::timeout(PATIENCE, gone).await??;
        operator.abort();
        Ok(())
    }

    #[test]
    fn an_operator_on_kube_rs_reconciles() -> anyhow::Result<()> {
        let tenant = Tenant::new()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async { session(client(&tenant.warren.virtual_kubeconfig()).await?).await })
    }
}
