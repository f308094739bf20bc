//! PodSecurity: what the pods of a namespace may ask of their node, by the namespace's labels.

mod baseline;
mod finding;
pub(super) mod floor;
mod namespaces;
mod restricted;
mod standard;

use serde_json::Value;
use warren_apimachinery::field::Error;
use warren_apimachinery::resource::{
    CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, NAMESPACES, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS,
    STATEFUL_SETS, Scope,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Resource, Status};
use warren_registry::admission::Operation;

use self::finding::Finding;
use self::standard::PREFIX;
pub(super) use self::standard::{Level, Modes, Standard, Version};
use super::Asked;
use super::asked::aggregate;

const POD_TEMPLATES: Resource = Resource {
    group: "",
    version: "v1",
    kind: "PodTemplate",
    plural: "podtemplates",
    scope: Scope::Namespaced,
};
/// Parts of pods that cannot change what a pod asks for.
const IGNORED: [&str; 8] = [
    "exec",
    "attach",
    "binding",
    "eviction",
    "log",
    "portforward",
    "proxy",
    "status",
];

/// What holds where labels say nothing, and whom nothing is asked of.
#[derive(Debug)]
pub(crate) struct PodSecurityDefaults {
    pub(super) modes: Modes,
    pub(super) users: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) runtime_classes: Vec<String>,
}

impl Default for PodSecurityDefaults {
    fn default() -> Self {
        Self {
            modes: Modes::PRIVILEGED,
            users: Vec::new(),
            namespaces: Vec::new(),
            runtime_classes: Vec::new(),
        }
    }
}

impl PodSecurityDefaults {
    fn exempts_namespace(&self, name: &str) -> bool {
        self.namespaces.iter().any(|exempt| exempt == name)
    }

    fn exempts_user(&self, name: &str) -> bool {
        self.users.iter().any(|exempt| exempt == name)
    }

    fn exempts_runtime_class(&self, pod: &Value) -> bool {
        let class = pod.text("/spec/runtimeClassName");
        !class.is_empty() && self.runtime_classes.iter().any(|exempt| exempt == class)
    }
}

/// A level as a version of Kubernetes understood it: checks came and changed over time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Policy {
    level: Level,
    version: Version,
    /// Whether it is a cluster's floor, not the wish of a namespace. A floor lets containers add `IPC_LOCK`, which
    /// databases ask for (Cassandra's own example does) and which locks no more memory than the container's limit.
    is_floor: bool,
}

impl Policy {
    const fn of(standard: Standard) -> Self {
        Self {
            level: standard.level,
            version: standard.version,
            is_floor: false,
        }
    }

    fn is_restricted(self) -> bool {
        self.level == Level::Restricted
    }

    fn since(self, minor: u64) -> bool {
        self.version >= Version::Minor(minor)
    }
}

/// What is wrong with a pod (`pod` is anything that has `metadata` and `spec` of one), in upstream's order.
fn findings(policy: Policy, pod: &Value) -> Vec<Finding> {
    if policy.level == Level::Privileged {
        return Vec::new();
    }
    let mut all = baseline::findings(pod, policy);
    if policy.is_restricted() {
        all.extend(restricted::findings(pod, policy));
    }
    all
}

/// The same in one sentence; `None` where nothing is wrong.
fn evaluate(policy: Policy, pod: &Value) -> Option<String> {
    finding::join(&findings(policy, pod))
}

pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    let Some(object) = object.filter(|_| writes) else {
        return Ok(());
    };
    if cx.writes(&NAMESPACES) {
        return namespaces::validate(cx, object);
    }
    let is_of_pods = is_of_pods(cx);
    let pod = if is_of_pods {
        Some(object)
    } else {
        template(cx, object)
    };
    let Some(pod) = pod else { return Ok(()) };
    let settings = &cx.settings.pod_security;
    if let Some(why) = exemption(cx) {
        annotate(cx, "exempt", why);
        return Ok(());
    }
    let Some((modes, errors)) = modes_of(cx) else {
        return Ok(());
    };
    if errors.is_empty() && modes.are_privileged() {
        if is_of_pods {
            annotate(cx, "enforce-policy", Standard::PRIVILEGED.to_string());
        }
        return Ok(());
    }
    if is_of_pods && cx.old.is_some_and(|old| !is_significant(old, object)) {
        return Ok(());
    }
    if settings.exempts_runtime_class(pod) {
        annotate(cx, "exempt", "runtimeClass");
        return Ok(());
    }
    if !errors.is_empty() {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        annotate(
            cx,
            "error",
            format!("Failed to parse policy: {}", aggregate(&errors)),
        );
    }
    judge(cx, object, pod, modes, is_of_pods)
}

/// What the three modes say of a pod; only pods themselves are refused.
fn judge(cx: &Asked<'_>, object: &Value, pod: &Value, modes: Modes, enforces: bool) -> Result<(), Status> {
    if let Some(detail) = evaluate(Policy::of(modes.audit), pod) {
        annotate(
            cx,
            "audit-violations",
            finding::would_violate(modes.audit, &detail),
        );
    }
    if enforces {
        let level = modes.enforce.to_string();
        annotate(cx, "enforce-policy", level.as_str());
        if let Some(detail) = evaluate(Policy::of(modes.enforce), pod) {
            return Err(cx.forbidden(object, format!("violates PodSecurity {level:?}: {detail}")));
        }
    }
    if let Some(detail) = evaluate(Policy::of(modes.warn), pod) {
        cx.warnings.add(finding::would_violate(modes.warn, &detail));
    }
    Ok(())
}

fn annotate(cx: &Asked<'_>, key: &str, value: impl Into<String>) {
    cx.warnings.annotate(format!("{PREFIX}{key}"), value.into());
}

/// Whose pods are not looked at.
fn exemption(cx: &Asked<'_>) -> Option<&'static str> {
    let settings = &cx.settings.pod_security;
    if settings.exempts_namespace(&cx.key.namespace) {
        return Some("namespace");
    }
    settings.exempts_user(&cx.user.name).then_some("user")
}

/// What the namespace asks, and what of its labels makes no sense; `None` where there is no namespace.
fn modes_of(cx: &Asked<'_>) -> Option<(Modes, Vec<Error>)> {
    let namespace = cx.find(&NAMESPACES, "", &cx.key.namespace)?;
    Some(Modes::of(
        |key| namespace.meta().label(key),
        cx.settings.pod_security.modes,
    ))
}

/// Whether it is about a pod, or a part of one that can change what it asks for.
fn is_of_pods(cx: &Asked<'_>) -> bool {
    PODS.is(&cx.resource) && !IGNORED.contains(&cx.subresource)
}

/// Whether an update brings what was not looked at before: a container, or an image.
fn is_significant(old: &Value, pod: &Value) -> bool {
    let plain = ["/spec/containers", "/spec/initContainers"].iter().any(|list| {
        let (before, after) = (old.items(list), pod.items(list));
        let differ = |(before, after): (&Value, &Value)| before.text("/image") != after.text("/image");
        before.len() != after.len() || before.iter().zip(after).any(differ)
    });
    let held = old.items("/spec/ephemeralContainers");
    plain
        || pod.items("/spec/ephemeralContainers").iter().any(|container| {
            let mut held = held.iter();
            let before = held.find(|held| held.text("/name") == container.text("/name"));
            before.is_none_or(|before| before.text("/image") != container.text("/image"))
        })
}

/// The pod template of a kind that makes pods.
fn template<'v>(cx: &Asked<'_>, object: &'v Value) -> Option<&'v Value> {
    let plain = [
        DEPLOYMENTS,
        REPLICA_SETS,
        STATEFUL_SETS,
        DAEMON_SETS,
        JOBS,
        REPLICATION_CONTROLLERS,
    ];
    let pointer = if plain.iter().any(|resource| cx.writes(resource)) {
        "/spec/template"
    } else if cx.writes(&POD_TEMPLATES) {
        "/template"
    } else if cx.writes(&CRON_JOBS) {
        "/spec/jobTemplate/spec/template"
    } else {
        return None;
    };
    Some(object.at(pointer)).filter(|template| template.is_object())
}

/// All containers of a pod, in upstream's order.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    [
        "/spec/initContainers",
        "/spec/containers",
        "/spec/ephemeralContainers",
    ]
    .into_iter()
    .flat_map(|list| pod.items(list))
}

/// Whether the pod's root is nobody on its node.
fn is_in_user_namespace(pod: &Value) -> bool {
    pod.at("/spec/hostUsers") == false
}

fn is_windows(pod: &Value) -> bool {
    pod.text("/spec/os/name") == "windows"
}

#[cfg(test)]
mod tests;
