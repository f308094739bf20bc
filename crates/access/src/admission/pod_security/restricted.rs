//! The checks that the level `restricted` adds, in the order of their ids upstream.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::baseline::{proc_mount, seccomp_fields};
use super::finding::{Finding, bad, containers_named, plural, quoted, sorted, who};
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
        policy.since(35).then(|| proc_mount(pod)).flatten(),
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
    const REASON: &str = "runAsNonRoot != true";
    let set = |part: &Value| part.at("/securityContext/runAsNonRoot").as_bool();
    let of_pod = set(pod.at("/spec"));
    let explicit = bad(containers(pod), |container| set(container) == Some(false));
    if of_pod == Some(false) || !explicit.is_empty() {
        let who = who(of_pod == Some(false), &explicit);
        return Some(Finding::new(
            REASON,
            format!("{who} must not set securityContext.runAsNonRoot=false"),
        ));
    }
    let open = bad(containers(pod), |container| set(container).is_none());
    (of_pod.is_none() && !open.is_empty()).then(|| {
        let who = containers_named(&open);
        Finding::new(
            REASON,
            format!("pod or {who} must set securityContext.runAsNonRoot=true"),
        )
    })
}

fn run_as_user(pod: &Value) -> Option<Finding> {
    let is_root = |part: &Value| part.int("/securityContext/runAsUser") == Some(0);
    let names = bad(containers(pod), is_root);
    let of_pod = is_root(pod.at("/spec"));
    (of_pod || !names.is_empty()).then(|| {
        Finding::new(
            "runAsUser=0",
            format!("{} must not set runAsUser=0", who(of_pod, &names)),
        )
    })
}

fn seccomp(pod: &Value) -> Option<Finding> {
    // What is set wrongly is told first, and then alone.
    if let Some(finding) = seccomp_fields(pod) {
        return Some(finding);
    }
    let is_open = |part: &Value| part.text("/securityContext/seccompProfile/type").is_empty();
    let open = bad(containers(pod), is_open);
    (is_open(pod.at("/spec")) && !open.is_empty()).then(|| {
        let who = containers_named(&open);
        Finding::new(
            "seccompProfile",
            format!(
                "pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""
            ),
        )
    })
}
