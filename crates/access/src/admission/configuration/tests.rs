use super::*;

fn settings(text: &str, enable: &[&str]) -> Result<AdmissionSettings, String> {
    let none = |path: &str| Err(format!("open {path}: no such file or directory"));
    let configuration = AdmissionConfiguration::read(text.as_bytes(), none)?;
    let enable: Vec<String> = enable.iter().map(|name| (*name).to_owned()).collect();
    configuration.settings(Plugins::switched(&enable, &[]).unwrap())
}

fn refused(text: &str, enable: &[&str], expect: &str) {
    assert_eq!(settings(text, enable).err().as_deref(), Some(expect));
}

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n";

fn plugin(name: &str, configuration: &str) -> String {
    format!("{HEAD}- name: {name}\n  configuration: {configuration}\n")
}

#[test]
fn pod_security_is_told_defaults_and_exemptions() {
    let text = plugin(
        "PodSecurity",
        "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, defaults: {enforce: baseline, enforce-version: v1.30}, exemptions: {namespaces: [kube-system]}}",
    );
    let read = settings(&text, &[]).unwrap().pod_security;
    assert_eq!(read.modes.enforce.to_string(), "baseline:v1.30");
    assert_eq!(read.modes.warn.to_string(), "privileged:latest");
    assert_eq!(read.namespaces, ["kube-system"]);
}

#[test]
fn what_makes_no_sense_is_refused_in_upstreams_words() {
    refused(
        &plugin(
            "PodSecurity",
            "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, defaults: {enforce: x}, exemptions: {usernames: ['', a, a]}}",
        ),
        &[],
        "couldn't init admission plugin \"PodSecurity\": [defaults.enforce: Invalid value: \"x\": must be one of privileged, baseline, restricted, exemptions.usernames[0]: Invalid value: \"\": username must not be empty, exemptions.usernames[2]: Duplicate value: \"a\"]",
    );
    refused(
        &plugin(
            "PodSecurity",
            "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, default: {enforce: x}}",
        ),
        &[],
        "couldn't init admission plugin \"PodSecurity\": strict decoding error: unknown field \"default\"",
    );
    refused(
        &format!("{HEAD}- names: x\n"),
        &[],
        "strict decoding error: unknown field \"plugins[0].names\"",
    );
    refused(
        "apiVersion: v1\nkind: Foo\n",
        &[],
        "no kind \"Foo\" is registered for version \"v1\"",
    );
    refused(
        &format!("{HEAD}- {{name: PodSecurity, path: psa.yaml}}\n"),
        &[],
        "open psa.yaml: no such file or directory",
    );
    refused(
        &plugin(
            "ResourceQuota",
            "{apiVersion: apiserver.config.k8s.io/v1, kind: ResourceQuotaConfiguration, limitedResources: [{matchContains: [x]}]}",
        ),
        &[],
        "couldn't init admission plugin \"ResourceQuota\": limitedResources[0].resource: Required value",
    );
}

#[test]
fn event_limits_must_be_told_where_the_plugin_runs() {
    let limit = |text: &str| {
        plugin(
            "EventRateLimit",
            &format!(
                "{{apiVersion: eventratelimit.admission.k8s.io/v1alpha1, kind: Configuration, limits: [{text}]}}"
            ),
        )
    };
    assert!(settings(&limit("{type: Server, qps: 5, burst: 10}"), &["EventRateLimit"]).is_ok());
    assert!(settings(&limit("{type: Nobody}"), &[]).is_ok(), "nobody asks it");
    refused(
        &limit("{type: Nobody, qps: 1, burst: -1}"),
        &["EventRateLimit"],
        "couldn't init admission plugin \"EventRateLimit\": [limits[0].type: Unsupported value: \"Nobody\": supported values: \"Namespace\", \"Server\", \"SourceAndObject\", \"User\", limits[0].burst: Invalid value: -1: must be positive]",
    );
    let nothing = AdmissionConfiguration::default();
    let on = Plugins::switched(&["EventRateLimit".to_owned()], &[]).unwrap();
    assert!(nothing.settings(on).is_err());
}

#[test]
fn selectors_of_nodes_may_stand_in_a_file_of_their_own_form() {
    let text = "podNodeSelectorPluginConfig:\n  clusterDefaultNodeSelector: a=b\n  n: c=d\n";
    let read = settings(text, &["PodNodeSelector"]).unwrap().node_selectors;
    assert_eq!(read.get("n").map(String::as_str), Some("c=d"));
}
