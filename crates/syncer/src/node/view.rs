//! What a virtual cluster shows of a host's node. Pure.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_config::VirtualClusterSpec;

use crate::pod::tolerates;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The host's labels, annotations and ids.
    Real,
    /// What a tenant needs to place pods.
    Pseudo,
}

impl Detail {
    pub(super) fn of(config: &VirtualClusterSpec) -> Self {
        match config.sync.from_host.nodes.enabled {
            true => Self::Real,
            false => Self::Pseudo,
        }
    }
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
/// Annotations that are not the host's to show: a client's last words, and ours.
const HIDDEN: &[&str] = &["kubectl.kubernetes.io/last-applied-configuration", "warren.dev/"];

/// The virtual node; heartbeats and volumes of the host's are left out.
pub(super) fn view(node: &Value, config: &VirtualClusterSpec) -> Value {
    let detail = Detail::of(config);
    let mut metadata = json!({"name": node.text("/metadata/name"),
        "labels": labels(node.at("/metadata/labels"), detail)});
    let annotations = entries(node.at("/metadata/annotations"), |key| {
        detail == Detail::Real && !HIDDEN.iter().any(|prefix| key.starts_with(prefix))
    });
    if !annotations.is_empty() {
        metadata.set("/annotations", annotations);
    }
    json!({"metadata": metadata, "spec": spec(node, config), "status": status(node, config)})
}

/// What every pod of the tenant is made to tolerate is nothing to it.
fn spec(node: &Value, config: &VirtualClusterSpec) -> Map<String, Value> {
    let enforced = &config.sync.to_host.pods.enforce_tolerations;
    let taints = node.items("/spec/taints").iter();
    let left: Vec<&Value> = taints.filter(|taint| !tolerates(enforced, taint)).collect();
    let ids: &[&str] = match Detail::of(config) {
        Detail::Real => &["unschedulable", "podCIDR", "podCIDRs", "providerID"],
        Detail::Pseudo => &["unschedulable"],
    };
    let mut spec = picked(node.at("/spec"), ids);
    if !left.is_empty() {
        spec.insert("taints".to_owned(), json!(left));
    }
    spec
}

fn status(node: &Value, config: &VirtualClusterSpec) -> Map<String, Value> {
    let nodes = &config.sync.from_host.nodes;
    let mut fields = vec![
        "capacity",
        "allocatable",
        "addresses",
        "nodeInfo",
        "daemonEndpoints",
    ];
    if nodes.enabled {
        fields.extend(["runtimeHandlers", "features", "declaredFeatures"]);
        if !nodes.clear_image_status {
            fields.push("images");
        }
    }
    let mut status = picked(node.at("/status"), &fields);
    if let Some(info) = status.get_mut("nodeInfo").filter(|_| !nodes.enabled) {
        for id in IDS {
            info.set(&format!("/{id}"), "");
        }
    }
    let conditions = node.items("/status/conditions").iter();
    status.insert(
        "conditions".to_owned(),
        conditions.map(without_heartbeat).collect(),
    );
    status
}

fn picked(value: &Value, fields: &[&str]) -> Map<String, Value> {
    let there = fields.iter().filter(|field| !value.field(field).is_null());
    there
        .map(|field| ((*field).to_owned(), value.field(field).clone()))
        .collect()
}

fn labels(labels: &Value, detail: Detail) -> Map<String, Value> {
    entries(labels, |key| {
        detail == Detail::Real || LABELS.iter().any(|prefix| key.starts_with(prefix))
    })
}

fn entries(map: &Value, shown: impl Fn(&str) -> bool) -> Map<String, Value> {
    let all = map.as_object().into_iter().flatten();
    all.filter(|(key, _)| shown(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
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
        json!({"metadata": {"name": "n", "uid": "host", "labels": {"kubernetes.io/arch": "arm64", "owner": "someone"},
                "annotations": {"rack": "7", "warren.dev/x": "y"}},
            "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}], "providerID": "cloud://1"},
            "status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"}, "images": [{"names": ["i"]}],
                "nodeInfo": {"architecture": "arm64", "machineID": "m"},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "b", "lastTransitionTime": "a"}]}})
    }

    fn real() -> VirtualClusterSpec {
        let mut config = VirtualClusterSpec::default();
        config.sync.from_host.nodes.enabled = true;
        config
    }

    #[test]
    fn a_pseudo_node_shows_what_placing_pods_needs() {
        assert_eq!(
            view(&node(), &VirtualClusterSpec::default()),
            json!({"metadata": {"name": "n", "labels": {"kubernetes.io/arch": "arm64"}},
                "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]},
                "status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"},
                    "nodeInfo": {"architecture": "arm64", "machineID": "", "systemUUID": "", "bootID": ""},
                    "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "a", "lastTransitionTime": "a"}]}})
        );
    }

    #[test]
    fn a_real_node_shows_what_it_is() {
        let mut config = real();
        let shown = view(&node(), &config);
        assert_eq!(shown.text("/metadata/labels/owner"), "someone");
        assert_eq!(shown.at("/metadata/annotations"), &json!({"rack": "7"}));
        assert_eq!(shown.text("/spec/providerID"), "cloud://1");
        assert_eq!(shown.text("/status/nodeInfo/machineID"), "m");
        assert_eq!(shown.items("/status/images").len(), 1);
        config.sync.from_host.nodes.clear_image_status = true;
        assert!(view(&node(), &config).at("/status/images").is_null());
    }

    #[test]
    fn taints_that_every_pod_tolerates_are_not_shown() {
        let mut config = real();
        for (enforced, shown) in [
            ("t:NoSchedule", 0),
            ("t", 0),
            ("*", 0),
            ("t:NoExecute", 1),
            ("t=v:NoSchedule", 1),
        ] {
            config.sync.to_host.pods.enforce_tolerations = vec![enforced.to_owned()];
            assert_eq!(
                view(&node(), &config).items("/spec/taints").len(),
                shown,
                "{enforced}"
            );
        }
    }

    #[test]
    fn a_heartbeat_changes_nothing() {
        let mut later = node();
        later.set("/status/conditions/0/lastHeartbeatTime", "c");
        assert_eq!(view(&later, &real()), view(&node(), &real()));
    }
}
