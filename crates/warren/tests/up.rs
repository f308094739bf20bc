//! The life of `warren up`: what it writes, how it continues, how it ends, and what it refuses.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::Context;
use warren_test_kit::{Folder, Kubectl, Lines, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `warren up` where it must fail, and answers what it said.
fn refused(folder: &Folder, arguments: &[&str]) -> anyhow::Result<String> {
    let Output { status, stderr, .. } = folder.command(WARREN).arg("up").args(arguments).output()?;
    let text = String::from_utf8(stderr)?;
    assert_eq!(status.code(), Some(1), "{text}");
    Ok(text)
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[test]
fn contexts_are_merged_into_the_users_kubeconfig_and_the_virtual_clusters_is_current() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &[])?;
    let said = warren.said();
    assert!(said.contains("Virtual cluster \"demo\" is ready after"), "{said}");
    assert!(said.contains("no container runs"), "{said}");
    let user = Kubectl::new(&folder.kubeconfig())?;
    let contexts = user.ok(&["config", "get-contexts", "-o", "name"])?;
    assert_eq!(contexts, "warren-host\nwarren_demo_warren-demo\n");
    assert_eq!(
        user.ok(&["config", "current-context"])?,
        "warren_demo_warren-demo\n"
    );
    assert_eq!(user.ok(&["get", "--raw", "/readyz"])?, "ok");
    assert_eq!(
        user.ok(&["--context", "warren-host", "get", "--raw", "/readyz"])?,
        "ok"
    );
    let files = [
        folder.kubeconfig(),
        warren.virtual_kubeconfig(),
        warren.host_kubeconfig(),
    ];
    for file in files {
        assert_eq!(mode(&file)?, 0o600, "{}", file.display());
    }
    // kubectl writes the file, and what Warren noted in it stays.
    user.ok(&["config", "set-context", "--current", "--namespace=kube-system"])?;
    let back = folder.command(WARREN).arg("disconnect").output()?;
    assert!(back.status.success(), "{}", String::from_utf8(back.stderr)?);
    assert_eq!(user.ok(&["config", "current-context"])?, "warren-host\n");
    Ok(())
}

#[test]
fn the_users_kubeconfig_is_left_alone_when_that_is_wanted() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    assert!(!folder.kubeconfig().exists());
    let said = warren.said();
    let export = format!("export KUBECONFIG={}", warren.virtual_kubeconfig().display());
    assert!(said.contains(&export), "{said}");
    Ok(())
}

#[test]
fn a_second_start_continues_and_old_kubeconfigs_stay_good() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    warren
        .kubectl()?
        .ok(&["create", "configmap", "kept", "--from-literal=a=b"])?;
    let kubeconfigs = [warren.virtual_kubeconfig(), warren.host_kubeconfig()];
    let kept = folder.join("kept-virtual");
    let kept_host = folder.join("kept-host");
    fs::copy(&kubeconfigs[0], &kept)?;
    fs::copy(&kubeconfigs[1], &kept_host)?;
    assert_eq!(warren.stop("TERM")?.code(), Some(0));

    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let old = Kubectl::new(&kept)?;
    assert_eq!(
        old.ok(&["get", "configmap", "kept", "-o", "jsonpath={.data.a}"])?,
        "b"
    );
    let old_host = Kubectl::new(&kept_host)?;
    assert_eq!(old_host.ok(&["get", "--raw", "/readyz"])?, "ok");
    assert_eq!(warren.stop("INT")?.code(), Some(0));
    Ok(())
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let data = warren.data().display().to_string();
    let said = refused(&folder, &["demo", "--no-kubeconfig", "--data-dir", &data])?;
    assert!(said.contains("is in use by another process"), "{said}");
    assert!(said.contains("Hint: stop the other 'warren up'"), "{said}");
    assert_eq!(warren.kubectl()?.ok(&["get", "--raw", "/readyz"])?, "ok");
    Ok(())
}

#[test]
fn a_taken_port_is_named() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    for flag in ["--port", "--host-port"] {
        let said = refused(&folder, &[flag, &port, "--no-kubeconfig", "--data-dir", "data"])?;
        assert!(
            said.contains(&format!("port {port} is taken by another process")),
            "{said}"
        );
        assert!(
            said.contains("Hint: --port and --host-port choose other ports"),
            "{said}"
        );
    }
    Ok(())
}

#[test]
fn ports_that_are_asked_for_are_served() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let free = || -> anyhow::Result<String> {
        Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string())
    };
    let (port, host_port) = (free()?, free()?);
    let ports = ["--port", &port, "--host-port", &host_port];
    let warren = Warren::up(WARREN, &folder, &ports)?;
    let server = ["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"];
    assert_eq!(
        warren.kubectl()?.ok(&server)?,
        format!("https://127.0.0.1:{port}")
    );
    assert_eq!(
        warren.host_kubectl()?.ok(&server)?,
        format!("https://127.0.0.1:{host_port}")
    );
    Ok(())
}

#[test]
fn a_second_start_may_choose_other_ports() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    for round in ["first", "second", "third"] {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig", "--port", &port])?;
        let kubectl = warren.kubectl()?;
        let server = kubectl.ok(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"])?;
        assert_eq!(server, format!("https://127.0.0.1:{port}"), "{round}");
        assert_eq!(kubectl.ok(&["get", "--raw", "/readyz"])?, "ok", "{round}");
        assert_eq!(warren.stop("TERM")?.code(), Some(0));
    }
    Ok(())
}

#[test]
fn an_open_watch_does_not_hold_up_the_end() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let mut watching = warren
        .kubectl()?
        .start(&["get", "--raw", "/api/v1/namespaces?watch=true"])?;
    let output = watching.stdout.take().context("no output")?;
    Lines::of(output).until(PATIENCE, |line| line.contains("\"ADDED\""))?;
    let began = Instant::now();
    let status = warren.stop("TERM")?;
    watching.kill()?;
    watching.wait()?;
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn what_cannot_be_a_data_directory_is_named() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    fs::write(folder.join("file"), "not a directory")?;
    let said = refused(&folder, &["--data-dir", "file/data"])?;
    assert!(said.contains("cannot create file/data"), "{said}");
    assert!(
        said.contains("Hint: --data-dir names another directory"),
        "{said}"
    );
    let said = refused(&folder, &["host"])?;
    assert!(
        said.contains("\"host\" is the embedded host's own name"),
        "{said}"
    );
    Ok(())
}

#[test]
fn the_default_data_directory_is_the_users() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    // A file stands where the directory would be made: its path is in the error.
    fs::write(folder.join(".local"), "")?;
    let said = refused(&folder, &["mine"])?;
    let path = folder.join(".local/share/warren/mine");
    assert!(said.contains(&path.display().to_string()), "{said}");
    Ok(())
}
