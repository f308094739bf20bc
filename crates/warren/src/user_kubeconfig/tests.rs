//! Connecting, going back and forgetting, on files.

use std::os::unix::fs::PermissionsExt;

use super::*;

const HOST: &str = "https://127.0.0.1:1";

fn kubeconfig(name: &str, server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\nclusters: [{{name: {name}, cluster: {{server: '{server}'}}}}]
users: [{{name: {name}, user: {{}}}}]\ncontexts: [{{name: {name}, context: {{cluster: {name}, user: {name}}}}}]\n"
    )
}

fn to(name: &str) -> Made {
    Made {
        name: name.to_owned(),
        namespace: format!("warren-{name}"),
        host: HOST.to_owned(),
        host_context: "host".to_owned(),
        previous_context: String::new(),
    }
}

struct Fixture {
    file: UserKubeconfig,
    _folder: tempfile::TempDir,
}

fn with(text: &str) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kube").join("config");
    let file = UserKubeconfig::at(path.clone());
    if !text.is_empty() {
        private_folder(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    Fixture {
        file,
        _folder: folder,
    }
}

#[test]
fn a_new_kubeconfig_is_for_the_user_alone() {
    let fixture = with("");
    fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap();
    let mode = fs::metadata(fixture.file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fixture.file.read().unwrap().current_context(), Some("a"));
}

#[test]
fn the_way_back_leads_past_other_virtual_clusters() {
    let fixture = with(&kubeconfig("mine", "https://mine"));
    fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap();
    fixture
        .file
        .connect(&kubeconfig("b", "https://b"), to("b"))
        .unwrap();
    let file = fixture.file.read().unwrap();
    assert_eq!(file.current_context(), Some("b"));
    assert_eq!(back(&file, "b").as_deref(), Some("mine"));
    assert_eq!(back(&file, "mine"), None);
}

#[test]
fn the_host_is_noted_only_where_the_file_leads_to_it() {
    let fixture = with(&kubeconfig("host", "https://another"));
    fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap();
    assert_eq!(made(&fixture.file.read().unwrap(), "a").unwrap().host_context, "");
    let fixture = with(&kubeconfig("host", HOST));
    fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap();
    assert_eq!(
        made(&fixture.file.read().unwrap(), "a").unwrap().host_context,
        "host"
    );
}

#[test]
fn forgetting_takes_the_contexts_of_one_virtual_cluster_and_goes_back() {
    let fixture = with(&kubeconfig("mine", "https://mine"));
    fixture
        .file
        .connect(&kubeconfig("b", "https://b"), to("b"))
        .unwrap();
    fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap();
    assert!(
        fixture
            .file
            .forget("https://elsewhere", "warren-a", "a")
            .unwrap()
            .is_empty()
    );
    assert_eq!(fixture.file.forget(HOST, "warren-a", "a").unwrap(), ["a"]);
    let file = fixture.file.read().unwrap();
    assert_eq!(file.contexts(), ["mine", "b"]);
    assert_eq!(file.current_context(), Some("mine"));
}

#[test]
fn forgetting_makes_no_file() {
    let fixture = with("");
    assert!(fixture.file.forget(HOST, "warren-a", "a").unwrap().is_empty());
    assert!(!fixture.file.path().exists());
}

#[test]
fn no_lock_is_left_behind() {
    let fixture = with("");
    fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap();
    let names: Vec<_> = fs::read_dir(fixture.file.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["config"]);
}

#[test]
fn what_is_no_kubeconfig_is_left_alone() {
    let fixture = with("- not\n- a kubeconfig\n");
    let error = fixture
        .file
        .connect(&kubeconfig("a", "https://a"), to("a"))
        .unwrap_err();
    assert!(error.to_string().starts_with("cannot change"), "{error}");
    assert_eq!(
        fs::read_to_string(fixture.file.path()).unwrap(),
        "- not\n- a kubeconfig\n"
    );
}
