//! The decision about a pod: what its two sides make necessary. Pure.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::paused::is_kept;
use super::status::was_on_host;

/// A virtual pod's host pod.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HostPod<'a> {
    /// There is none.
    Absent,
    /// Its place is taken by something that is not ours.
    Foreign,
    /// Ours, for the virtual pod of this uid.
    Ours(&'a Value, &'a str),
}

/// What has to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Nothing,
    /// Make the host pod.
    Create,
    /// Delete the host pod, with this grace.
    DeleteHost(Option<i64>),
    /// Delete the virtual pod, with this grace; its status still follows.
    DeleteVirtual(Option<i64>),
    /// Both live: changes go to the host, status comes back.
    Follow,
    /// Both go: only status comes back.
    Watch,
    /// Tell the tenant that the place is taken.
    Taken,
    /// Take the virtual pod off its node: it waits for the end of a pause.
    Rest,
    /// Mark the virtual pod, which is over, and delete the host pod: it goes for a pause, the virtual one stays.
    Keep,
}

/// See the module.
pub(crate) fn decide(pod: Option<&Value>, host: HostPod<'_>) -> Step {
    match (pod, host) {
        (None, HostPod::Absent | HostPod::Foreign) => Step::Nothing,
        (None, HostPod::Ours(host, _)) => delete_once(host),
        (Some(pod), HostPod::Absent) => alone(pod),
        (Some(pod), HostPod::Foreign) if is_deleting(pod) => end(pod),
        (Some(_), HostPod::Foreign) => Step::Taken,
        // The host pod of a former pod of this name has to go first.
        (Some(pod), HostPod::Ours(host, uid)) if uid != pod.text("/metadata/uid") => {
            match delete_once(host) {
                Step::Nothing if is_deleting(pod) => end(pod),
                step => step,
            }
        }
        (Some(pod), HostPod::Ours(host, _)) => both(pod, host),
    }
}

fn is_deleting(pod: &Value) -> bool {
    !pod.at("/metadata/deletionTimestamp").is_null()
}

fn grace(pod: &Value) -> Option<i64> {
    pod.int("/metadata/deletionGracePeriodSeconds")
}

fn delete_once(host: &Value) -> Step {
    if is_deleting(host) {
        Step::Nothing
    } else {
        Step::DeleteHost(None)
    }
}

/// A virtual pod without a host pod that is on its way out is gone, but for finalizers of others.
fn end(pod: &Value) -> Step {
    if grace(pod) == Some(0) {
        Step::Nothing
    } else {
        Step::DeleteVirtual(Some(0))
    }
}

fn alone(pod: &Value) -> Step {
    if is_deleting(pod) {
        end(pod)
    } else if is_kept(pod) {
        Step::Nothing
    } else if was_on_host(pod) {
        Step::DeleteVirtual(Some(0))
    } else if matches!(pod.text("/status/phase"), "Succeeded" | "Failed") {
        Step::Nothing
    } else {
        Step::Create
    }
}

fn both(pod: &Value, host: &Value) -> Step {
    match (is_deleting(pod), is_deleting(host)) {
        // The tenant bound it elsewhere, or an older state of the virtual cluster was restored.
        (false, false) if is_elsewhere(pod, host) => Step::DeleteVirtual(None),
        (false, false) => Step::Follow,
        (true, false) => Step::DeleteHost(grace(pod)),
        (false, true) => Step::DeleteVirtual(grace(host)),
        // The tenant became less patient.
        (true, true) if grace(pod) < grace(host) => Step::DeleteHost(grace(pod)),
        (true, true) => Step::Watch,
    }
}

fn is_elsewhere(pod: &Value, host: &Value) -> bool {
    let node = pod.text("/spec/nodeName");
    !node.is_empty() && node != host.text("/spec/nodeName")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Value {
        json!({"metadata": {"uid": "u"}, "status": {"phase": "Pending"}})
    }

    fn going(grace: i64) -> Value {
        json!({"metadata": {"uid": "u", "deletionTimestamp": "t", "deletionGracePeriodSeconds": grace}})
    }

    fn ran() -> Value {
        json!({"metadata": {"uid": "u"}, "status": {"conditions": [{"type": "PodScheduled", "status": "True"}]}})
    }

    fn gated() -> Value {
        json!({"metadata": {"uid": "u"}, "status": {"conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}})
    }

    #[test]
    fn each_pair_of_states_leads_to_one_step() {
        let (live, going30, going5, going0) = (live(), going(30), going(5), going(0));
        let on = |node: &str| json!({"metadata": {"uid": "u"}, "spec": {"nodeName": node}});
        let (on_a, on_b) = (on("a"), on("b"));
        let ours = |host| HostPod::Ours(host, "u");
        let table = [
            (None, HostPod::Absent, Step::Nothing),
            (None, HostPod::Foreign, Step::Nothing),
            (None, ours(&live), Step::DeleteHost(None)),
            (None, ours(&going30), Step::Nothing),
            (Some(live.clone()), HostPod::Absent, Step::Create),
            (Some(gated()), HostPod::Absent, Step::Create),
            (Some(ran()), HostPod::Absent, Step::DeleteVirtual(Some(0))),
            (
                Some(going30.clone()),
                HostPod::Absent,
                Step::DeleteVirtual(Some(0)),
            ),
            (Some(going0.clone()), HostPod::Absent, Step::Nothing),
            (Some(live.clone()), HostPod::Foreign, Step::Taken),
            (
                Some(going30.clone()),
                HostPod::Foreign,
                Step::DeleteVirtual(Some(0)),
            ),
            (Some(live.clone()), ours(&live), Step::Follow),
            (Some(live.clone()), ours(&on_a), Step::Follow),
            (Some(on_a.clone()), ours(&on_a), Step::Follow),
            (Some(on_a.clone()), ours(&on_b), Step::DeleteVirtual(None)),
            (Some(on_a.clone()), ours(&live), Step::DeleteVirtual(None)),
            (Some(going30.clone()), ours(&live), Step::DeleteHost(Some(30))),
            (Some(live.clone()), ours(&going5), Step::DeleteVirtual(Some(5))),
            (Some(going30.clone()), ours(&going30), Step::Watch),
            (Some(going5.clone()), ours(&going30), Step::DeleteHost(Some(5))),
            (
                Some(live.clone()),
                HostPod::Ours(&live, "former"),
                Step::DeleteHost(None),
            ),
            (
                Some(live.clone()),
                HostPod::Ours(&going30, "former"),
                Step::Nothing,
            ),
            (
                Some(going30.clone()),
                HostPod::Ours(&going30, "former"),
                Step::DeleteVirtual(Some(0)),
            ),
        ];
        for (at, (pod, host, expect)) in table.into_iter().enumerate() {
            assert_eq!(decide(pod.as_ref(), host), expect, "row {at}");
        }
    }
}
