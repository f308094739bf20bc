//! What a node's silence and its conditions make of its conditions and taints: pure.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::condition::{self, Said};
use crate::timestamp;

/// How long a node may be silent, as upstream's `--node-monitor-grace-period`.
pub(super) const GRACE_SECONDS: i64 = 50;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The taint that a condition in a state stands for, beyond `Ready`.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];

/// The conditions of a node that fell silent.
pub(super) fn silent(conditions: &[Value], now: Timestamp) -> Vec<Value> {
    let mut all = conditions.to_vec();
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let known = conditions
            .iter()
            .find(|condition| condition.text("/type") == kind);
        if known.is_some_and(|condition| condition.text("/status") == "Unknown") {
            continue;
        }
        let (reason, message) = match known {
            Some(_) => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
            None => ("NodeStatusNeverUpdated", "Kubelet never posted node status."),
        };
        let said = Said {
            kind,
            status: "Unknown",
            reason,
            message: message.to_owned(),
        };
        condition::set(&mut all, &said, now);
    }
    all
}

fn status<'a>(conditions: &'a [Value], kind: &str) -> &'a str {
    let condition = conditions
        .iter()
        .find(|condition| condition.text("/type") == kind);
    condition.map_or("Unknown", |condition| condition.text("/status"))
}

/// The taints that a node should have: those of its conditions, and whatever others it has.
pub(super) fn taints(node: &Value, now: Timestamp) -> Vec<Value> {
    let conditions = node.items("/status/conditions");
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    match status(conditions, "Ready") {
        "True" => {}
        "False" => wanted.extend([(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]),
        _ => wanted.extend([(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]),
    }
    if node.at("/spec/unschedulable") == true {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    let pressures = PRESSURES
        .iter()
        .filter(|(kind, _)| status(conditions, kind) == "True");
    wanted.extend(pressures.map(|(_, taint)| (*taint, "NoSchedule")));

    let ours = |taint: &Value| {
        let key = taint.text("/key");
        [NOT_READY, UNREACHABLE, UNSCHEDULABLE].contains(&key)
            || PRESSURES.iter().any(|(_, ours)| *ours == key)
    };
    let is = |taint: &Value, (key, effect): (&str, &str)| {
        taint.text("/key") == key && taint.text("/effect") == effect
    };
    let old = node.items("/spec/taints");
    let mut all: Vec<Value> = old
        .iter()
        .filter(|taint| !ours(taint) || wanted.iter().any(|pair| is(taint, *pair)))
        .cloned()
        .collect();
    for (key, effect) in wanted {
        if !old.iter().any(|taint| is(taint, (key, effect))) {
            all.push(json!({"key": key, "effect": effect, "timeAdded": timestamp::text(now)}));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, conditions: &[(&str, &str)], expect: &[(&str, &str)]) {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(kind, status)| json!({"type": kind, "status": status}))
            .collect();
        let node = json!({"spec": spec, "status": {"conditions": conditions}});
        let taints = taints(&node, "2026-01-01T00:00:00Z".parse().unwrap());
        let told: Vec<_> = taints
            .iter()
            .map(|taint| (taint.text("/key"), taint.text("/effect")))
            .collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn taints_follow_conditions_and_leave_others_alone() {
        check(json!({}), &[("Ready", "True")], &[]);
        check(
            json!({}),
            &[("Ready", "False")],
            &[(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")],
        );
        check(
            json!({}),
            &[],
            &[(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")],
        );
        let kept = json!({"unschedulable": true, "taints": [{"key": "mine", "effect": "NoExecute"},
            {"key": NOT_READY, "effect": "NoSchedule"}]});
        check(
            kept,
            &[("Ready", "True"), ("DiskPressure", "True")],
            &[
                ("mine", "NoExecute"),
                (UNSCHEDULABLE, "NoSchedule"),
                ("node.kubernetes.io/disk-pressure", "NoSchedule"),
            ],
        );
    }

    #[test]
    fn silence_makes_conditions_unknown() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let all = silent(&[json!({"type": "Ready", "status": "True"})], now);
        assert_eq!(all.len(), 4);
        assert_eq!(
            (all[0].text("/status"), all[0].text("/reason")),
            ("Unknown", "NodeStatusUnknown")
        );
        assert_eq!(all[1].text("/reason"), "NodeStatusNeverUpdated");
        assert_eq!(silent(&all, now), all);
    }
}
