//! What a virtual cluster shows of a host's node. Pure.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The host's labels and ids.
    Real,
    /// What a tenant needs to place pods.
    Pseudo,
}

/// Labels of a pseudo node: what the API itself defines.
const LABELS: &[&str] = &[
    "kubernetes.io/",
    "beta.kubernetes.io/",
    "topology.kubernetes.io/",
    "failure-domain.beta.kubernetes.io/",
    "node.kubernetes.io/instance-type",
    "node-role.kubernetes.io/",
];
/// What tells one machine from all others.
const IDS: &[&str] = &["machineID", "systemUUID", "bootID"];

/// The virtual node; heartbeats, images and volumes of the host's are left out.
pub(super) fn view(node: &Value, detail: Detail) -> Value {
    let name = node.text("/metadata/name");
    let mut spec = Map::new();
    for field in ["taints", "unschedulable"] {
        let value = node.at("/spec").field(field);
        if !value.is_null() {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    let mut status = Map::new();
    for field in ["capacity", "allocatable", "addresses", "nodeInfo"] {
        let value = node.at("/status").field(field);
        if !value.is_null() {
            status.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(info) = status.get_mut("nodeInfo").filter(|_| detail == Detail::Pseudo) {
        for id in IDS {
            info.set(&format!("/{id}"), "");
        }
    }
    let conditions: Vec<Value> = node
        .items("/status/conditions")
        .iter()
        .map(without_heartbeat)
        .collect();
    status.insert("conditions".to_owned(), Value::Array(conditions));
    json!({"metadata": {"name": name, "labels": labels(node.at("/metadata/labels"), detail)},
        "spec": spec, "status": status})
}

fn labels(labels: &Value, detail: Detail) -> Map<String, Value> {
    let entries = labels.as_object().into_iter().flatten();
    let shown = entries
        .filter(|(key, _)| detail == Detail::Real || LABELS.iter().any(|prefix| key.starts_with(prefix)));
    shown.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn without_heartbeat(condition: &Value) -> Value {
    let mut out = condition.clone();
    match condition.field("lastTransitionTime") {
        Value::Null => {
            out.take_at("/lastHeartbeatTime");
        }
        time => out.set("/lastHeartbeatTime", time.clone()),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Value {
        json!({"metadata": {"name": "n", "uid": "host", "labels": {"kubernetes.io/arch": "arm64", "owner": "someone"}},
            "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}], "providerID": "cloud://1"},
            "status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"}, "images": [{"names": ["i"]}],
                "nodeInfo": {"architecture": "arm64", "machineID": "m"},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "b", "lastTransitionTime": "a"}]}})
    }

    #[test]
    fn a_pseudo_node_shows_what_placing_pods_needs() {
        assert_eq!(
            view(&node(), Detail::Pseudo),
            json!({"metadata": {"name": "n", "labels": {"kubernetes.io/arch": "arm64"}},
                "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]},
                "status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"},
                    "nodeInfo": {"architecture": "arm64", "machineID": "", "systemUUID": "", "bootID": ""},
                    "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "a", "lastTransitionTime": "a"}]}})
        );
    }

    #[test]
    fn a_heartbeat_changes_nothing() {
        let mut later = node();
        later.set("/status/conditions/0/lastHeartbeatTime", "c");
        assert_eq!(view(&later, Detail::Real), view(&node(), Detail::Real));
        assert_eq!(
            view(&node(), Detail::Real).text("/metadata/labels/owner"),
            "someone"
        );
    }
}
