//! PodSecurity: what the pods of a namespace may ask of their node, by the namespace's labels.

mod baseline;
mod existing;
mod finding;
mod restricted;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::resource::{
    CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, NAMESPACES, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS,
    STATEFUL_SETS, Scope,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Resource, Status};
use warren_registry::admission::Operation;

use self::finding::Finding;
use super::Asked;
use crate::guard::PodSecurityFloor;

const POD_TEMPLATES: Resource = Resource {
    group: "",
    version: "v1",
    kind: "PodTemplate",
    plural: "podtemplates",
    scope: Scope::Namespaced,
};
const PREFIX: &str = "pod-security.kubernetes.io/";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            "restricted" => Self::Restricted,
            _ => return None,
        })
    }
}

/// A level as a version of Kubernetes understood it: checks came and changed over time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Policy {
    level: Level,
    /// The minor version; the greatest number for the latest.
    minor: u16,
    /// Whether it is a cluster's floor, not the wish of a namespace. A floor lets containers add `IPC_LOCK`, which
    /// databases ask for (Cassandra's own example does) and which locks no more memory than the container's limit.
    is_floor: bool,
}

impl Policy {
    fn is_restricted(self) -> bool {
        self.level == Level::Restricted
    }

    fn since(self, minor: u16) -> bool {
        self.minor >= minor
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

pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    let Some(object) = object.filter(|_| writes) else {
        return Ok(());
    };
    if cx.writes(&NAMESPACES) {
        validate_labels(object)?;
        existing::warn(cx, object);
        return Ok(());
    }
    let is_pod = PODS.is(&cx.resource) && matches!(cx.subresource, "" | "ephemeralcontainers");
    if !is_pod && template(cx, object).is_none() {
        return Ok(());
    }
    let Some(namespace) = cx.find(&NAMESPACES, "", &cx.key.namespace) else {
        return Ok(());
    };
    let meta = namespace.meta();
    if is_pod {
        if cx.old.is_some_and(|old| old.at("/spec") == object.at("/spec")) {
            return Ok(());
        }
        enforce(cx, meta, object)?;
    }
    warn(cx, meta, template(cx, object).unwrap_or(object));
    Ok(())
}

/// `restricted:latest`, as messages name a level.
fn level_of(meta: &Meta, mode: &str) -> Option<(Policy, String)> {
    let label = meta.label(&format!("{PREFIX}{mode}"))?;
    // An unknown level counts as the strictest, as upstream fails closed.
    let level = Level::parse(label).unwrap_or(Level::Restricted);
    let version = meta.label(&format!("{PREFIX}{mode}-version")).unwrap_or("latest");
    let name = if Level::parse(label).is_some() {
        label
    } else {
        "restricted"
    };
    let minor = version.strip_prefix("v1.").and_then(|minor| minor.parse().ok());
    let policy = Policy {
        level,
        minor: minor.unwrap_or(u16::MAX),
        is_floor: false,
    };
    Some((policy, format!("{name}:{version}")))
}

/// What the cluster asks of every pod.
fn floor(cx: &Asked<'_>) -> Option<(Policy, String)> {
    let (level, name) = match cx.guard.pod_security_floor()? {
        PodSecurityFloor::Baseline => (Level::Baseline, "baseline"),
        PodSecurityFloor::Restricted => (Level::Restricted, "restricted"),
    };
    let policy = Policy {
        level,
        minor: u16::MAX,
        is_floor: true,
    };
    Some((policy, format!("{name}:latest")))
}

fn enforce(cx: &Asked<'_>, namespace: &Meta, pod: &Value) -> Result<(), Status> {
    for (policy, name) in [level_of(namespace, "enforce"), floor(cx)].into_iter().flatten() {
        if let Some(detail) = finding::join(&findings(policy, pod)) {
            return Err(cx.forbidden(pod, format!("violates PodSecurity {name:?}: {detail}")));
        }
    }
    Ok(())
}

fn warn(cx: &Asked<'_>, namespace: &Meta, pod: &Value) {
    // What makes pods is told early what its pods will hear.
    let of_cluster = || floor(cx).filter(|_| !PODS.is(&cx.resource));
    let Some((policy, name)) = level_of(namespace, "warn").or_else(of_cluster) else {
        return;
    };
    if let Some(detail) = finding::join(&findings(policy, pod)) {
        cx.warnings
            .add(format!("would violate PodSecurity {name:?}: {detail}"));
    }
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

fn validate_labels(namespace: &Value) -> Result<(), Status> {
    let labels = namespace.at("/metadata/labels");
    let mut errors = Vec::new();
    for mode in ["enforce", "audit", "warn"] {
        let key = format!("{PREFIX}{mode}");
        if let Some(text) = labels
            .field(&key)
            .as_str()
            .filter(|text| Level::parse(text).is_none())
        {
            let path = Path::new("metadata.labels").key(&key);
            errors.push(Error::invalid(
                &path,
                text,
                "must be one of privileged, baseline, restricted",
            ));
        }
        let key = format!("{key}-version");
        if let Some(text) = labels.field(&key).as_str().filter(|text| !is_version(text)) {
            let path = Path::new("metadata.labels").key(&key);
            errors.push(Error::invalid(&path, text, "must be \"latest\" or \"v1.x\""));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(
        "",
        "Namespace",
        namespace.text("/metadata/name"),
        &errors,
    ))
}

fn is_version(text: &str) -> bool {
    text == "latest"
        || text
            .strip_prefix("v1.")
            .is_some_and(|minor| minor.parse::<u16>().is_ok())
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
