//! The checks that the level `restricted` adds, in the order of their ids upstream.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::finding::{Finding, bad, containers_named, plural, quoted, sorted};
use super::{Policy, containers, is_in_user_namespace, is_windows};

const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What is wrong.
pub(super) fn findings(pod: &Value, policy: Policy) -> Vec<Finding> {
    // Since 1.25 what Windows does not know is not asked of its pods.
    let is_asked = |since: u64| policy.since(since) && !(policy.since(25) && is_windows(pod));
    let may_be_root = policy.since(35) && is_in_user_namespace(pod);
    let checks = [
        is_asked(8).then(|| privilege_escalation(pod)).flatten(),
        is_asked(22).then(|| capabilities(pod)).flatten(),
        volumes(pod),
        (!may_be_root).then(|| run_as_non_root(pod)).flatten(),
        (policy.since(23) && !may_be_root)
            .then(|| run_as_user(pod))
            .flatten(),
        is_asked(19).then(|| seccomp(pod)).flatten(),
    ];
    checks.into_iter().flatten().collect()
}

fn privilege_escalation(pod: &Value) -> Option<Finding> {
    let names = bad(containers(pod), |container| {
        container.at("/securityContext/allowPrivilegeEscalation") != false
    });
    (!names.is_empty()).then(|| {
        let detail = format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            containers_named(&names)
        );
        Finding::new("allowPrivilegeEscalation != false", detail)
    })
}

fn capabilities(pod: &Value) -> Option<Finding> {
    let drops_all = |container: &Value| {
        container
            .items("/securityContext/capabilities/drop")
            .iter()
            .any(|name| name == "ALL")
    };
    let added = |container: &Value| -> Vec<String> {
        let names = container
            .items("/securityContext/capabilities/add")
            .iter()
            .filter_map(Value::as_str);
        names
            .filter(|name| *name != "NET_BIND_SERVICE")
            .map(str::to_owned)
            .collect()
    };
    let keeping = bad(containers(pod), |container| !drops_all(container));
    let adding = bad(containers(pod), |container| !added(container).is_empty());
    let mut details = Vec::new();
    if !keeping.is_empty() {
        let who = containers_named(&keeping);
        details.push(format!(
            "{who} must set securityContext.capabilities.drop=[\"ALL\"]"
        ));
    }
    if !adding.is_empty() {
        let names = sorted(containers(pod).flat_map(added));
        let who = containers_named(&adding);
        details.push(format!(
            "{who} must not include {} in securityContext.capabilities.add",
            quoted(&names)
        ));
    }
    (!details.is_empty()).then(|| Finding::new("unrestricted capabilities", details.join("; ")))
}

fn volumes(pod: &Value) -> Option<Finding> {
    let kind = |volume: &Value| -> Option<String> {
        let kinds = volume
            .as_object()?
            .iter()
            .filter(|(key, value)| *key != "name" && !value.is_null());
        kinds
            .map(|(key, _)| key.clone())
            .find(|key| !VOLUMES.contains(&key.as_str()))
    };
    let all = pod.items("/spec/volumes");
    let names = bad(all.iter(), |volume| kind(volume).is_some());
    let kinds = sorted(all.iter().filter_map(kind));
    (!names.is_empty()).then(|| {
        let verb = if names.len() == 1 { "uses" } else { "use" };
        let detail = format!(
            "{} {} {verb} restricted volume {} {}",
            plural("volume", names.len()),
            quoted(&names),
            plural("type", kinds.len()),
            quoted(&kinds)
        );
        Finding::new("restricted volume types", detail)
    })
}

fn run_as_non_root(pod: &Value) -> Option<Finding> {
    let set = |part: &Value| part.at("/securityContext/runAsNonRoot").as_bool();
    let of_pod = set(pod.at("/spec"));
    let explicit = bad(containers(pod), |container| set(container) == Some(false));
    let implicit = match of_pod {
        Some(true) => Vec::new(),
        _ => bad(containers(pod), |container| set(container).is_none()),
    };
    let mut details = Vec::new();
    if of_pod == Some(false) {
        details.push("pod must not set securityContext.runAsNonRoot=false".to_owned());
    }
    if !explicit.is_empty() {
        details.push(format!(
            "{} must not set securityContext.runAsNonRoot=false",
            containers_named(&explicit)
        ));
    }
    if of_pod.is_none() && !implicit.is_empty() {
        details.push(format!(
            "pod or {} must set securityContext.runAsNonRoot=true",
            containers_named(&implicit)
        ));
    }
    (!details.is_empty()).then(|| Finding::new("runAsNonRoot != true", details.join("; ")))
}

fn run_as_user(pod: &Value) -> Option<Finding> {
    let is_root = |part: &Value| part.int("/securityContext/runAsUser") == Some(0);
    let names = bad(containers(pod), is_root);
    let mut details = Vec::new();
    if is_root(pod.at("/spec")) {
        details.push("pod must not set runAsUser=0".to_owned());
    }
    if !names.is_empty() {
        details.push(format!("{} must not set runAsUser=0", containers_named(&names)));
    }
    (!details.is_empty()).then(|| Finding::new("runAsUser=0", details.join(" and ")))
}

fn seccomp(pod: &Value) -> Option<Finding> {
    let profile = |part: &Value| part.text("/securityContext/seccompProfile/type").to_owned();
    let is_good = |text: &str| matches!(text, "RuntimeDefault" | "Localhost");
    let is_bad = |part: &Value| !profile(part).is_empty() && !is_good(&profile(part));
    let of_pod = profile(pod.at("/spec"));
    let explicit = bad(containers(pod), is_bad);
    let implicit = match of_pod.is_empty() {
        true => bad(containers(pod), |container| profile(container).is_empty()),
        false => Vec::new(),
    };
    let mut details = Vec::new();
    if is_bad(pod.at("/spec")) {
        details.push(format!(
            "pod must not set securityContext.seccompProfile.type to {of_pod:?}"
        ));
    }
    if !explicit.is_empty() {
        let set = sorted(containers(pod).filter(|container| is_bad(container)).map(profile));
        let who = containers_named(&explicit);
        details.push(format!(
            "{who} must not set securityContext.seccompProfile.type to {}",
            quoted(&set)
        ));
    }
    if !implicit.is_empty() {
        let who = containers_named(&implicit);
        details.push(format!(
            "pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""
        ));
    }
    (!details.is_empty()).then(|| Finding::new("seccompProfile", details.join("; ")))
}
