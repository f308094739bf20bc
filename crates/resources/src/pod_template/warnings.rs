//! What upstream warns about in a pod spec that it nevertheless accepts.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use warren_apimachinery::field::Path;
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::resources::quantity;
use crate::core::persistent_volume_claim::spec_warnings;

/// Labels of nodes that have newer names, or mean nothing any more.
const NODE_LABELS: &[(&str, &str)] = &[
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
];
const ANNOTATIONS: &[(&str, &str)] = &[
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];
const VOLUMES: &[(&str, &str, &str)] = &[
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    ("gitRepo", "gitRepo", "deprecated in v1.11"),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "flocker",
        "flocker",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "quobyte",
        "quobyte",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    (
        "cephfs",
        "cephfs",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// What to warn about in a new pod.
pub(crate) fn pod_warnings(pod: &Value) -> Vec<String> {
    let mut warnings = name_warning(pod, "the Pod's hostname");
    template(&mut warnings, &Path::root(), pod);
    warnings
}

/// What to warn about in a workload whose template stands at a path such as `spec.template`: on create, and when
/// an update changes more than metadata and status.
pub(crate) fn workload_warnings(path: &str, new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    match old {
        None => warnings = name_warning(new, "Pod names and hostnames"),
        Some(old) if old.field("spec") == new.field("spec") => return warnings,
        Some(_) => {}
    }
    let pointer = format!("/{}", path.replace('.', "/"));
    template(&mut warnings, &Path::new(path), new.at(&pointer));
    warnings
}

fn name_warning(new: &Value, used_in: &str) -> Vec<String> {
    let wrong = name::dns1123_label(new.text("/metadata/name"));
    if wrong.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in {used_in}, which can result in surprising behavior; a DNS label is recommended: [{}]",
        wrong.join(" ")
    )]
}

/// What to warn about in a template at `path`.
pub(crate) fn template_warnings(path: &Path, value: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    template(&mut warnings, path, value);
    warnings
}

fn template(warnings: &mut Vec<String>, path: &Path, template: &Value) {
    let spec = template.field("spec");
    let spec_path = path.child("spec");
    node_labels(warnings, &spec_path, spec);
    annotations(warnings, path, template);
    for (at, volume) in spec.items("/volumes").iter().enumerate() {
        let at = spec_path.child("volumes").index(at);
        warnings.extend(volume_warnings(&at, volume));
        let claim = volume.at("/ephemeral/volumeClaimTemplate/spec");
        let claim_path = at.child("ephemeral.volumeClaimTemplate.spec");
        warnings.extend(spec_warnings(&claim_path, claim));
    }
    repeated(
        warnings,
        &spec_path.child("hostAliases"),
        spec.items("/hostAliases"),
        "ip",
    );
    let secrets = spec.items("/imagePullSecrets");
    let secrets_path = spec_path.child("imagePullSecrets");
    repeated(warnings, &secrets_path, secrets, "name");
    for (at, secret) in secrets.iter().enumerate() {
        if secret.text("/name").is_empty() {
            let at = secrets_path.index(at).child("name");
            warnings.push(format!("{at}: invalid empty name \"\""));
        }
    }
    let overhead = spec.field("overhead");
    fractions(warnings, &spec_path.child("overhead"), overhead);
    containers(warnings, &spec_path, spec);
    ports(warnings, &spec_path, spec);
}

/// Sources of volumes that no longer work.
pub(crate) fn volume_warnings(path: &Path, volume: &Value) -> Vec<String> {
    VOLUMES
        .iter()
        .filter(|(field, _, _)| !volume.field(field).is_null())
        .map(|(_, shown, message)| format!("{}: {message}", path.child(shown)))
        .collect()
}

fn node_label(key: &str) -> Option<&'static str> {
    NODE_LABELS
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, message)| *message)
}

fn node_labels(warnings: &mut Vec<String>, path: &Path, spec: &Value) {
    for key in spec
        .field("nodeSelector")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        if let Some(message) = node_label(key) {
            warnings.push(format!("{}: {message}", path.child("nodeSelector").key(key)));
        }
    }
    let affinity = path.child("affinity.nodeAffinity");
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let node = spec.at("/affinity/nodeAffinity");
    let terms = affinity.child(required).child("nodeSelectorTerms");
    for (at, term) in node
        .field(required)
        .items("/nodeSelectorTerms")
        .iter()
        .enumerate()
    {
        term_labels(warnings, &terms.index(at), term);
    }
    for (at, term) in node.items(&format!("/{preferred}")).iter().enumerate() {
        let at = affinity.child(preferred).index(at).child("preference");
        term_labels(warnings, &at, term.field("preference"));
    }
    for (at, constraint) in spec.items("/topologySpreadConstraints").iter().enumerate() {
        let at = path.child("topologySpreadConstraints").index(at);
        let key = constraint.text("/topologyKey");
        if let Some(message) = node_label(key) {
            warnings.push(format!("{}: {key} is {message}", at.child("topologyKey")));
        }
        if constraint.field("labelSelector").is_null() {
            warnings.push(format!(
                "{}: a null labelSelector results in matching no pod",
                at.child("labelSelector")
            ));
        }
    }
}

fn term_labels(warnings: &mut Vec<String>, path: &Path, term: &Value) {
    for (at, expression) in term.items("/matchExpressions").iter().enumerate() {
        let key = expression.text("/key");
        if let Some(message) = node_label(key) {
            let at = path.child("matchExpressions").index(at).child("key");
            warnings.push(format!("{at}: {key} is {message}"));
        }
    }
}

fn annotations(warnings: &mut Vec<String>, path: &Path, template: &Value) {
    let annotations = template.at("/metadata/annotations");
    let path = path.child("metadata.annotations");
    for (key, message) in ANNOTATIONS {
        if !annotations.field(key).is_null() {
            warnings.push(format!("{}: {message}", path.key(key)));
        }
    }
    let key = "seccomp.security.alpha.kubernetes.io/pod";
    let has_profile = !template.at("/spec/securityContext/seccompProfile").is_null();
    if !annotations.field(key).is_null() && !has_profile {
        warnings.push(format!(
            "{}: non-functional in v1.27+; use the \"seccompProfile\" field instead",
            path.key(key)
        ));
    }
}

fn repeated(warnings: &mut Vec<String>, path: &Path, entries: &[Value], field: &str) {
    let mut seen = HashSet::new();
    for (at, entry) in entries.iter().enumerate() {
        let value = entry.field(field).as_str().unwrap_or_default();
        if !seen.insert(value) {
            let at = path.index(at).child(field);
            warnings.push(format!("{at}: duplicate {field} {value:?}"));
        }
    }
}

/// Parts of a byte are accepted and mean nothing.
fn fractions(warnings: &mut Vec<String>, path: &Path, list: &Value) {
    for resource in ["memory", "ephemeral-storage"] {
        let amount = quantity(list.field(resource));
        if amount.milli_value() % 1000 != 0 {
            warnings.push(format!(
                "{}: fractional byte value \"{amount}\" is invalid, must be an integer",
                path.key(resource)
            ));
        }
    }
}

fn containers(warnings: &mut Vec<String>, path: &Path, spec: &Value) {
    for (at, container) in all_containers(path, spec) {
        let resources = container.field("resources");
        for list in ["limits", "requests"] {
            let path = at.child("resources").child(list);
            fractions(warnings, &path, resources.field(list));
        }
        let mut seen = HashSet::new();
        for (index, variable) in container.items("/env").iter().enumerate() {
            let (name, value) = (variable.text("/name"), variable.text("/value"));
            if seen.insert(name) {
                continue;
            }
            let reference = format!("$({name})");
            let builds_on = value != reference && value.contains(&reference);
            if !variable.field("valueFrom").is_null() || !builds_on {
                warnings.push(format!(
                    "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                    at.child("env").index(index)
                ));
            }
        }
    }
}

/// Ports that two containers both claim.
fn ports(warnings: &mut Vec<String>, path: &Path, spec: &Value) {
    let mut known: HashMap<(i64, &str), Vec<(Path, &Value)>> = HashMap::new();
    for (at, container) in all_containers(path, spec) {
        for (index, port) in container.items("/ports").iter().enumerate() {
            let at = at.child("ports").index(index);
            let key = (
                port.int("/containerPort").unwrap_or_default(),
                port.text("/protocol"),
            );
            let others = known.entry(key).or_default();
            for (other_path, other) in others.iter() {
                let host_port = |port: &Value| port.int("/hostPort").unwrap_or_default();
                let same_ip = port.text("/hostIP") == other.text("/hostIP");
                let (mine, theirs) = (host_port(port), host_port(other));
                if same_ip && mine == theirs {
                    warnings.push(format!("{at}: duplicate port definition with {other_path}"));
                } else if mine == 0 || theirs == 0 {
                    warnings.push(format!("{at}: overlapping port definition with {other_path}"));
                }
            }
            others.push((at, port));
        }
    }
}

/// All containers with their paths, in the order upstream visits them.
fn all_containers<'a>(path: &'a Path, spec: &'a Value) -> impl Iterator<Item = (Path, &'a Value)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |list| {
            let path = path.child(list);
            spec.field(list)
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .map(move |(at, container)| (path.index(at), container))
        })
}
