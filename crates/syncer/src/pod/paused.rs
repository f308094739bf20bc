//! Pods of a virtual cluster that is paused: host pods go, virtual pods wait as if they had never run. Pure.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::decide::{HostPod, Step, decide};

/// The reason that stands in the condition `PodScheduled` of a pod that waits for the end of a pause.
pub(crate) const REASON: &str = "VirtualClusterPaused";

/// What takes a virtual pod off its node (see the registry's `unbinding`).
pub(super) fn unbinding(pod: &Value) -> Value {
    json!({"metadata": {"name": pod.text("/metadata/name"), "uid": pod.text("/metadata/uid")},
        "reason": REASON, "message": "the virtual cluster is paused"})
}

/// As `decide`, while the virtual cluster is paused: only what goes anyway goes as ever. A pod that ended keeps its
/// result.
pub(super) fn decide_paused(pod: Option<&Value>, host: HostPod<'_>) -> Step {
    let Some(live) = pod.filter(|pod| pod.at("/metadata/deletionTimestamp").is_null()) else {
        return decide(pod, host);
    };
    match host {
        HostPod::Ours(host, uid) if uid == live.text("/metadata/uid") => ours(live, host),
        HostPod::Ours(..) => decide(pod, host),
        HostPod::Absent | HostPod::Foreign if is_over(live) || is_waiting(live) => Step::Nothing,
        HostPod::Absent | HostPod::Foreign => Step::Rest,
    }
}

fn ours(pod: &Value, host: &Value) -> Step {
    if is_over(host) && !is_over(pod) {
        return Step::Watch;
    }
    match host.at("/metadata/deletionTimestamp") {
        Value::Null if is_over(pod) && !is_kept(pod) => Step::Keep,
        Value::Null => Step::DeleteHost(None),
        _ => Step::Nothing,
    }
}

/// Whether the pod was over when its host pod went for a pause: that one is not missed.
pub(super) fn is_kept(pod: &Value) -> bool {
    is_over(pod) && has_reason(pod)
}

/// The conditions that say so.
pub(super) fn kept_conditions(pod: &Value) -> Vec<Value> {
    let mut conditions = pod.items("/status/conditions").to_vec();
    match conditions
        .iter_mut()
        .find(|condition| condition.text("/type") == "PodScheduled")
    {
        Some(scheduled) => scheduled.set("/reason", REASON),
        None => conditions.push(json!({"type": "PodScheduled", "status": "True", "reason": REASON})),
    }
    conditions
}

fn is_over(pod: &Value) -> bool {
    matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
}

fn is_waiting(pod: &Value) -> bool {
    has_reason(pod) && pod.text("/spec/nodeName").is_empty()
}

fn has_reason(pod: &Value) -> bool {
    let conditions = pod.items("/status/conditions");
    conditions
        .iter()
        .any(|condition| condition.text("/reason") == REASON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_pods_go_and_virtual_pods_wait() {
        let live =
            json!({"metadata": {"uid": "u"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
        let over = json!({"metadata": {"uid": "u"}, "status": {"phase": "Succeeded"}});
        let waits = json!({"metadata": {"uid": "u"}, "spec": {}, "status": {"phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": REASON}]}});
        let mut kept = over.clone();
        kept.set("/status/conditions", kept_conditions(&over));
        let going =
            json!({"metadata": {"uid": "u", "deletionTimestamp": "t", "deletionGracePeriodSeconds": 30}});
        let ours = |host| HostPod::Ours(host, "u");
        let table = [
            ("runs", Some(&live), ours(&live), Step::DeleteHost(None)),
            (
                "runs, the host pod goes",
                Some(&live),
                ours(&going),
                Step::Nothing,
            ),
            ("ran", Some(&live), HostPod::Absent, Step::Rest),
            ("its place is taken", Some(&live), HostPod::Foreign, Step::Rest),
            ("waits", Some(&waits), HostPod::Absent, Step::Nothing),
            ("ended unseen", Some(&live), ours(&over), Step::Watch),
            ("ended", Some(&over), ours(&over), Step::Keep),
            (
                "ended and marked",
                Some(&kept),
                ours(&over),
                Step::DeleteHost(None),
            ),
            (
                "ended, marked and alone",
                Some(&kept),
                HostPod::Absent,
                Step::Nothing,
            ),
            ("ended before", Some(&over), HostPod::Absent, Step::Nothing),
            ("goes", Some(&going), ours(&live), Step::DeleteHost(Some(30))),
            (
                "goes alone",
                Some(&going),
                HostPod::Absent,
                Step::DeleteVirtual(Some(0)),
            ),
            ("gone", None, ours(&live), Step::DeleteHost(None)),
            (
                "another one's",
                Some(&live),
                HostPod::Ours(&live, "former"),
                Step::DeleteHost(None),
            ),
        ];
        for (what, pod, host, expect) in table {
            assert_eq!(decide_paused(pod, host), expect, "{what}");
        }
    }

    #[test]
    fn a_pod_that_waited_is_made_when_the_pause_is_over() {
        let waits = json!({"metadata": {"uid": "u"}, "spec": {}, "status": {"phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": REASON}]}});
        assert_eq!(decide(Some(&waits), HostPod::Absent), Step::Create);
        let mut over = json!({"metadata": {"uid": "u"}, "status": {"phase": "Succeeded", "startTime": "t"}});
        assert_eq!(decide(Some(&over), HostPod::Absent), Step::DeleteVirtual(Some(0)));
        over.set("/status/conditions", kept_conditions(&over));
        assert_eq!(decide(Some(&over), HostPod::Absent), Step::Nothing);
    }
}
