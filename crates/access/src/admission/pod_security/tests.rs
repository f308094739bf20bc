use serde_json::json;

use super::*;

fn check(level: Level, spec: Value, expect: Option<&str>) {
    assert_eq!(
        finding::join(&findings(
            Policy {
                is_floor: false,
                level,
                version: Version::Latest
            },
            &json!({"spec": spec})
        ))
        .as_deref(),
        expect
    );
}

#[test]
fn a_plain_pod_is_baseline_and_not_restricted() {
    let spec = json!({"containers": [{"name": "c"}]});
    check(Level::Baseline, spec.clone(), None);
    check(
        Level::Restricted,
        spec,
        Some(
            "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"c\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
        ),
    );
}

#[test]
fn a_hardened_pod_is_restricted() {
    check(
        Level::Restricted,
        json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "c", "securityContext": {"allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}]}),
        None,
    );
}

#[test]
fn what_reaches_for_the_node_is_named() {
    check(
        Level::Baseline,
        json!({"hostNetwork": true, "hostPID": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            "containers": [
                {"name": "a", "securityContext": {"privileged": true}, "ports": [{"hostPort": 80}]},
                {"name": "b", "securityContext": {"privileged": true, "capabilities": {"add": ["SYS_ADMIN"]}}}]}),
        Some(
            "non-default capabilities (container \"b\" must not include \"SYS_ADMIN\" in securityContext.capabilities.add), host namespaces (hostNetwork=true, hostPID=true), hostPath volumes (volume \"v\"), hostPort (container \"a\" uses hostPort 80), privileged (containers \"a\", \"b\" must not set securityContext.privileged=true)",
        ),
    );
}

#[test]
fn a_version_judges_as_its_time_did() {
    let pod = json!({"metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}},
        "spec": {"containers": [{"name": "c", "securityContext": {"procMount": "Unmasked",
            "runAsNonRoot": false, "seccompProfile": {"type": "Unconfined"}}}, {"name": "d"}]}});
    let judged = |level, minor| {
        let policy = Policy {
            is_floor: false,
            level,
            version: Version::Minor(minor),
        };
        evaluate(policy, &pod).unwrap()
    };
    let proc_mount = "procMount (container \"c\" must not set securityContext.procMount to \"Unmasked\")";
    let root = "runAsNonRoot != true (container \"c\" must not set securityContext.runAsNonRoot=false)";
    let field =
        "seccompProfile (container \"c\" must not set securityContext.seccompProfile.type to \"Unconfined\")";
    let annotation =
        "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")";
    assert_eq!(judged(Level::Baseline, 18), format!("{proc_mount}, {annotation}"));
    assert_eq!(judged(Level::Baseline, 19), format!("{proc_mount}, {field}"));
    assert_eq!(
        judged(Level::Restricted, 7),
        format!("{proc_mount}, {annotation}, {root}")
    );
    // What the stricter level asks in its own way stands among its own checks.
    let now = judged(Level::Restricted, 35);
    assert!(now.starts_with("allowPrivilegeEscalation"), "{now}");
    assert!(now.ends_with(&format!("{proc_mount}, {root}, {field}")), "{now}");
}
