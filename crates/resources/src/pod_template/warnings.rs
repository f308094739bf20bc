//! What upstream warns about in a pod spec that it nevertheless accepts.

mod containers;
mod volumes;

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::Path;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, name};

use containers::{containers, fractions, port_names, ports};
use volumes::overlapping_files;
pub(crate) use volumes::volume_warnings;

use super::annotations::SECCOMP_POD;
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
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    (
        "node-role.kubernetes.io/master",
        "use \"node-role.kubernetes.io/control-plane\" instead",
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
    overlapping_files(warnings, spec.items("/volumes"));
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
    seccomp(warnings, path, template);
    containers(warnings, path, template);
    ports(warnings, &spec_path, spec);
    port_names(warnings, &spec_path, spec);
    if spec
        .int("/terminationGracePeriodSeconds")
        .is_some_and(|seconds| seconds < 0)
    {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            spec_path.child("terminationGracePeriodSeconds")
        ));
    }
    affinity(warnings, &spec_path.child("affinity"), spec.field("affinity"));
    addresses(warnings, &spec_path, spec);
}

/// Terms without a selector match no pod.
fn affinity(warnings: &mut Vec<String>, path: &Path, affinity: &Value) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let (path, affinity) = (path.child(kind), affinity.field(kind));
        let mut each = |field: &str, term: &str| {
            let terms = affinity.field(field).as_array().into_iter().flatten();
            for (at, value) in terms.enumerate() {
                let (mut at, mut value) = (path.child(field).index(at), value);
                if !term.is_empty() {
                    (at, value) = (at.child(term), value.field(term));
                }
                if value.field("labelSelector").is_null() {
                    warnings.push(format!(
                        "{}: a null labelSelector results in matching no pod",
                        at.child("labelSelector")
                    ));
                }
            }
        };
        each("requiredDuringSchedulingIgnoredDuringExecution", "");
        each(
            "preferredDuringSchedulingIgnoredDuringExecution",
            "podAffinityTerm",
        );
    }
}

/// Addresses in forms that not every reader takes.
fn addresses(warnings: &mut Vec<String>, path: &Path, spec: &Value) {
    let servers = path.child("dnsConfig.nameservers");
    for (at, server) in spec.items("/dnsConfig/nameservers").iter().enumerate() {
        let server = server.as_str().unwrap_or_default();
        warnings.extend(address::ip_warning(servers.index(at).as_str(), server));
    }
    for (at, alias) in spec.items("/hostAliases").iter().enumerate() {
        let path = path.child("hostAliases").index(at).child("ip");
        warnings.extend(address::ip_warning(path.as_str(), alias.text("/ip")));
    }
}

fn seccomp(warnings: &mut Vec<String>, path: &Path, template: &Value) {
    let has_profile = !template.at("/spec/securityContext/seccompProfile").is_null();
    let annotations = template.at("/metadata/annotations");
    if !annotations.field(SECCOMP_POD).is_null() && !has_profile {
        warnings.push(format!(
            "{}: non-functional in v1.27+; use the \"seccompProfile\" field instead",
            path.child("metadata.annotations").key(SECCOMP_POD)
        ));
    }
}

/// What upstream says of a node's label that should not be used any more.
pub(crate) fn node_label(key: &str) -> Option<&'static str> {
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
        term_values(warnings, &at, term.field("preference"));
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

/// Warns of such labels in a term of a node selector.
pub(crate) fn term_labels(warnings: &mut Vec<String>, path: &Path, term: &Value) {
    for (at, expression) in term.items("/matchExpressions").iter().enumerate() {
        let key = expression.text("/key");
        if let Some(message) = node_label(key) {
            let at = path.child("matchExpressions").index(at).child("key");
            warnings.push(format!("{at}: {key} is {message}"));
        }
    }
}

/// Values that no label can have match no node; where they are only preferred they are not refused.
fn term_values(warnings: &mut Vec<String>, path: &Path, term: &Value) {
    for (at, expression) in term.items("/matchExpressions").iter().enumerate() {
        let path = path.child("matchExpressions").index(at).child("values");
        for (at, value) in expression.items("/values").iter().enumerate() {
            let value = value.as_str().unwrap_or_default();
            let wrong = name::label_value(value).into_iter();
            warnings.extend(wrong.map(|why| format!("{}: {value} is invalid, {why}", path.index(at))));
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
