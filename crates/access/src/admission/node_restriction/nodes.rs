//! What a node may say of itself: not its taints, and not labels by which workloads are steered.

use std::collections::BTreeSet;

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::super::Asked;

const RESTRICTED: &str = "node-restriction.kubernetes.io";
/// Labels of Kubernetes that a kubelet sets.
const KUBELETS: [&str; 11] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];
const KUBELETS_NAMESPACES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

pub(super) fn restrict(cx: &Asked<'_>, node: &str, object: &Value) -> Result<(), Status> {
    let refused = |why: String| Err(cx.forbidden(object, why));
    let name = match cx.key.name.as_str() {
        "" => object.text("/metadata/name"),
        name => name,
    };
    if name != node {
        return refused(format!("node {node:?} is not allowed to modify node {name:?}"));
    }
    match (cx.operation, cx.old) {
        (Operation::Create, _) => {
            if !object.at("/spec/configSource").is_null() {
                return refused(format!(
                    "node {node:?} is not allowed to create pods with a non-nil configSource"
                ));
            }
            match forbidden_labels(object, &Value::Null) {
                labels if labels.is_empty() => Ok(()),
                labels => refused(format!(
                    "node {node:?} is not allowed to set the following labels: {labels}"
                )),
            }
        }
        (Operation::Update, Some(old)) => update(cx, node, object, old),
        _ => Ok(()),
    }
}

fn update(cx: &Asked<'_>, node: &str, object: &Value, old: &Value) -> Result<(), Status> {
    let refused = |why: String| Err(cx.forbidden(object, why));
    let source = object.at("/spec/configSource");
    if !source.is_null() && source != old.at("/spec/configSource") {
        return refused(format!(
            "node {node:?} is not allowed to update configSource to a new non-nil configSource"
        ));
    }
    if object.items("/spec/taints") != old.items("/spec/taints") {
        return refused(format!("node {node:?} is not allowed to modify taints"));
    }
    if object.items("/metadata/ownerReferences") != old.items("/metadata/ownerReferences") {
        return refused(format!("node {node:?} is not allowed to modify ownerReferences"));
    }
    match forbidden_labels(object, old) {
        labels if labels.is_empty() => Ok(()),
        labels => refused(format!("is not allowed to modify labels: {labels}")),
    }
}

/// The labels that differ and are not the node's to set.
fn forbidden_labels(node: &Value, old: &Value) -> String {
    let labels = |node: &Value| {
        node.at("/metadata/labels")
            .as_object()
            .cloned()
            .unwrap_or_default()
    };
    let (after, before) = (labels(node), labels(old));
    let differing = after.keys().chain(before.keys());
    let forbidden: BTreeSet<&str> = differing
        .filter(|key| after.get(*key) != before.get(*key))
        .map(String::as_str)
        .filter(|key| is_forbidden(key))
        .collect();
    forbidden.into_iter().collect::<Vec<_>>().join(", ")
}

fn is_forbidden(label: &str) -> bool {
    let namespace = label
        .split_once('/')
        .map(|(namespace, _)| namespace)
        .unwrap_or_default();
    let is_in = |domain: &str| {
        let parent = namespace.strip_suffix(domain);
        parent.is_some_and(|parent| parent.is_empty() || parent.ends_with('.'))
    };
    let is_kubelets = || KUBELETS.contains(&label) || KUBELETS_NAMESPACES.iter().any(|domain| is_in(domain));
    is_in(RESTRICTED) || ((is_in("kubernetes.io") || is_in("k8s.io")) && !is_kubelets())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_steer_workloads_are_not_the_nodes_to_set() {
        for (label, is) in [
            ("kubernetes.io/hostname", false),
            ("node.kubernetes.io/anything", false),
            ("x.kubelet.kubernetes.io/anything", false),
            ("example.com/x", false),
            ("plain", false),
            ("node-role.kubernetes.io/control-plane", true),
            ("node-restriction.kubernetes.io/x", true),
            ("a.node-restriction.kubernetes.io/x", true),
            ("k8s.io/x", true),
            ("xk8s.io/x", false),
        ] {
            assert_eq!(is_forbidden(label), is, "{label}");
        }
    }
}
