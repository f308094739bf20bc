//! `create`, `list`, `connect`, `disconnect`, `describe`, `delete`, on the host that `warren up` runs.

use std::fs;

use warren_test_kit::{Folder, Kubectl, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");

struct User {
    folder: Folder,
}

/// What a command answered: exit code, standard output, standard error.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl User {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            folder: Folder::new()?,
        })
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let output = self.folder.command(WARREN).args(arguments).output()?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    fn ok(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = self.run(arguments)?;
        anyhow::ensure!(said.code == Some(0), "{arguments:?}: {}{}", said.out, said.err);
        Ok(said.out)
    }

    /// What a command that must fail says.
    fn refused(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = self.run(arguments)?;
        anyhow::ensure!(
            said.code == Some(1),
            "{arguments:?}: {:?} {}",
            said.code,
            said.out
        );
        Ok(said.err)
    }

    fn current(&self) -> anyhow::Result<String> {
        let kubectl = Kubectl::new(&self.folder.kubeconfig())?;
        Ok(kubectl.ok(&["config", "current-context"])?.trim().to_owned())
    }
}

#[test]
fn a_virtual_cluster_is_made_used_and_removed() -> anyhow::Result<()> {
    let user = User::new()?;
    let _warren = Warren::up(WARREN, &user.folder, &[])?;
    // The current context is a virtual cluster: its host is meant.
    let made = user.ok(&["create", "team", "--connect"])?;
    assert!(made.contains("Virtual cluster \"team\" is ready after"), "{made}");
    assert_eq!(user.current()?, "warren_team_warren-team");
    let kubectl = Kubectl::new(&user.folder.kubeconfig())?;
    assert_eq!(kubectl.ok(&["get", "--raw", "/readyz"])?, "ok");

    let list = user.ok(&["ls"])?;
    let rows: Vec<Vec<&str>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["NAME", "NAMESPACE", "STATUS", "VERSION", "CONNECTED", "AGE"]
    );
    assert_eq!(rows[1][..4], ["demo", "warren-demo", "Ready", "v1.36.2"]);
    assert_eq!(rows[2][..5], ["team", "warren-team", "Ready", "v1.36.2", "True"]);
    assert_eq!(user.ok(&["list", "-n", "warren-team"])?.lines().count(), 2);

    let described = user.ok(&["describe", "team"])?;
    assert!(described.contains("Kubeconfig secret:  vc-team"), "{described}");
    user.ok(&["disconnect"])?;
    assert_eq!(user.current()?, "warren-host");
    let refused = user.refused(&["disconnect"])?;
    assert!(
        refused.contains("\"warren-host\" is not a virtual cluster of Warren's"),
        "{refused}"
    );

    user.ok(&["connect", "team"])?;
    let deleted = user.ok(&["delete", "team"])?;
    assert!(
        deleted.contains("Context warren_team_warren-team is removed."),
        "{deleted}"
    );
    assert_eq!(user.current()?, "warren-host");
    assert_eq!(user.ok(&["list"])?.lines().count(), 2);
    Ok(())
}

#[test]
fn one_command_runs_in_a_virtual_cluster_and_nothing_changes() -> anyhow::Result<()> {
    let user = User::new()?;
    let warren = Warren::up(WARREN, &user.folder, &["--no-kubeconfig"])?;
    let data = warren.data().display().to_string();
    let host = ["--data-dir", data.as_str()];
    let names = user.ok(&[
        "connect", "demo", host[0], host[1], "--", "kubectl", "get", "ns", "-o", "name",
    ])?;
    assert!(
        names.contains("namespace/kube-system\n") && !names.contains("warren-demo"),
        "{names}"
    );
    let code = |script: &str| {
        let arguments = ["connect", "demo", host[0], host[1], "--", "sh", "-c", script];
        user.run(&arguments).map(|said| said.code)
    };
    assert_eq!(code("exit 7")?, Some(7));
    assert_eq!(code("kill -TERM $$")?, Some(143));
    let missing = user.run(&["connect", "demo", host[0], host[1], "--", "no-such-program"])?;
    assert_eq!(missing.code, Some(127));
    let printed = user.ok(&["connect", "demo", "--print", host[0], host[1]])?;
    assert_eq!(printed, fs::read_to_string(warren.virtual_kubeconfig())?);
    assert!(!user.folder.kubeconfig().exists());
    Ok(())
}

#[test]
fn data_comes_out_as_the_host_has_it() -> anyhow::Result<()> {
    let user = User::new()?;
    let warren = Warren::up(WARREN, &user.folder, &["--no-kubeconfig"])?;
    let data = warren.data().display().to_string();
    let list = user.ok(&["list", "-o", "json", "--data-dir", &data])?;
    assert!(
        list.contains("\"kind\": \"List\"") && list.contains("\"phase\": \"Ready\""),
        "{list}"
    );
    let one = user.ok(&["describe", "demo", "-o", "json", "--data-dir", &data])?;
    assert!(one.contains("\"kubeconfigSecret\": \"vc-demo\""), "{one}");
    Ok(())
}

#[test]
fn a_configuration_is_taken_from_a_file_and_refused_by_name() -> anyhow::Result<()> {
    let user = User::new()?;
    let warren = Warren::up(WARREN, &user.folder, &["--no-kubeconfig"])?;
    let data = warren.data().display().to_string();
    fs::write(
        user.folder.join("good.yaml"),
        "exportKubeConfig:\n  context: my-team\n",
    )?;
    fs::write(
        user.folder.join("bad.yaml"),
        "sync:\n  toHost:\n    gatewayApis: {enabled: true}\n",
    )?;
    let bad = user.refused(&["create", "bad", "-f", "bad.yaml", "--data-dir", &data])?;
    assert!(
        bad.contains("sync.toHost.gatewayApis (line 3): unknown field; did you mean gatewayApi?"),
        "{bad}"
    );
    user.ok(&[
        "create",
        "good",
        "-f",
        "good.yaml",
        "-n",
        "teams",
        "--data-dir",
        &data,
    ])?;
    let printed = user.ok(&["connect", "good", "-n", "teams", "--print", "--data-dir", &data])?;
    assert!(printed.contains("current-context: my-team"), "{printed}");
    Ok(())
}

#[test]
fn what_is_not_there_is_said_with_a_way_out() -> anyhow::Result<()> {
    let user = User::new()?;
    let said = user.refused(&["list"])?;
    assert!(
        said.contains("Error: no host is named: there is no kubeconfig at"),
        "{said}"
    );
    assert!(said.contains("Hint: start a host with 'warren up'"), "{said}");
    let warren = Warren::up(WARREN, &user.folder, &[])?;
    for command in ["describe", "connect", "delete"] {
        let said = user.refused(&[command, "x"])?;
        let expect = "Error: virtual cluster \"x\" not found in namespace \"warren-x\"
Hint: 'warren list' shows what there is\n";
        assert_eq!(said, expect, "{command}");
    }
    let said = user.refused(&["create", "demo"])?;
    assert!(
        said.contains("virtual cluster \"demo\" already exists in namespace \"warren-demo\""),
        "{said}"
    );
    let said = user.refused(&["list", "--context", "warren_demo_warren-demo"])?;
    assert!(said.contains("knows no VirtualCluster objects"), "{said}");
    let said = user.refused(&["list", "--context", "nowhere"])?;
    assert!(said.contains("failed to load current context: nowhere"), "{said}");
    assert_eq!(warren.stop("TERM")?.code(), Some(0));
    let said = user.refused(&["list"])?;
    assert!(said.contains("cannot be reached"), "{said}");
    assert!(
        said.contains("Hint: nobody listens there: is 'warren up' running?"),
        "{said}"
    );
    Ok(())
}
