//! The status of a virtual pod: its host pod's, in words of the virtual cluster. Pure.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::follow::{gate_changed, is_gate};
use crate::applied::Applied;
use crate::wording::Wording;

/// Statuses of containers, and the lists of the spec that name them.
const CONTAINER_STATUSES: &[(&str, &str)] = &[
    ("containerStatuses", "/spec/containers"),
    ("initContainerStatuses", "/spec/initContainers"),
    ("ephemeralContainerStatuses", "/spec/ephemeralContainers"),
];
/// The conditions that only the host's scheduler and kubelet write.
const OF_THE_HOST: &[&str] = &[
    "PodScheduled",
    "Initialized",
    "PodReadyToStartContainers",
    "ContainersReady",
    "Ready",
    "PodResizePending",
    "PodResizeInProgress",
];

/// The status that the virtual pod should have.
pub(crate) fn virtual_status(pod: &Value, host: &Value, base: &Applied, wording: &Wording) -> Value {
    let mut status = host.at("/status").clone();
    if !status.is_object() {
        return pod.at("/status").clone();
    }
    status.take_at("/resourceClaimStatuses");
    for (field, spec) in CONTAINER_STATUSES {
        keep_own(pod, spec, status.pointer_mut(&format!("/{field}")));
    }
    if !pod.text("/status/qosClass").is_empty() {
        status.set("/qosClass", pod.text("/status/qosClass"));
    }
    let conditions = conditions(pod, host, base);
    if !conditions.is_empty() {
        status.set("/conditions", conditions);
    }
    generation(pod, host, &mut status);
    wording.of_messages(&mut status);
    status
}

/// Sidecars that a webhook of the host added are not the tenant's.
fn keep_own(pod: &Value, spec: &str, statuses: Option<&mut Value>) {
    let known = pod.items(spec);
    if let Some(statuses) = statuses.and_then(Value::as_array_mut) {
        statuses.retain(|status| known.iter().any(|one| one.text("/name") == status.text("/name")));
    }
}

/// The host's conditions; readiness gates from the side that changed them; and what others wrote on the virtual pod.
fn conditions(pod: &Value, host: &Value, base: &Applied) -> Vec<Value> {
    let own = pod.items("/status/conditions");
    let find = |kind: &str| own.iter().find(|condition| condition.text("/type") == kind);
    let mut all: Vec<Value> = Vec::new();
    for condition in host.items("/status/conditions") {
        let kind = condition.text("/type");
        let ours = find(kind).filter(|ours| is_gate(pod, kind) && gate_changed(base, ours));
        let mut condition = ours.unwrap_or(condition).clone();
        if ours.is_none() {
            observed(&mut condition, find(kind), pod, host);
        }
        all.push(condition);
    }
    let more = own.iter().filter(|condition| {
        let kind = condition.text("/type");
        !OF_THE_HOST.contains(&kind) && !all.iter().any(|there| there.text("/type") == kind)
    });
    let more: Vec<Value> = more.cloned().collect();
    all.extend(more);
    all
}

/// Generations count apart on both sides: the host's latest is the virtual pod's latest, an older one stays what the
/// virtual pod says.
fn observed(condition: &mut Value, old: Option<&Value>, pod: &Value, host: &Value) {
    let Some(observed) = condition.int("/observedGeneration") else {
        return;
    };
    let generation = translate_generation(observed, pod, host);
    match generation.or_else(|| old.and_then(|old| old.int("/observedGeneration"))) {
        Some(generation) => condition.set("/observedGeneration", generation),
        None => {
            condition.take_at("/observedGeneration");
        }
    }
}

fn generation(pod: &Value, host: &Value, status: &mut Value) {
    let Some(observed) = status.int("/observedGeneration") else {
        return;
    };
    match translate_generation(observed, pod, host).or_else(|| pod.int("/status/observedGeneration")) {
        Some(generation) => status.set("/observedGeneration", generation),
        None => {
            status.take_at("/observedGeneration");
        }
    }
}

fn translate_generation(observed: i64, pod: &Value, host: &Value) -> Option<i64> {
    (host.int("/metadata/generation") == Some(observed)).then(|| pod.int("/metadata/generation"))?
}

/// Whether a virtual pod was on the host once: its status says what only a host's scheduler or kubelet can.
pub(crate) fn was_on_host(pod: &Value) -> bool {
    let scheduled = pod.items("/status/conditions").iter().any(|condition| {
        condition.text("/type") == "PodScheduled" && condition.text("/reason") != "SchedulingGated"
    });
    scheduled || !pod.text("/status/startTime").is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::applied::Parts;
    use crate::testing::binding;

    #[track_caller]
    fn check(pod: Value, host: Value, expect: Value) {
        let mut wording = Wording::of(&binding(), "shop");
        wording.replace("conf-x-shop-x-demo", "conf");
        let base = Applied::of(&Parts::new());
        assert_eq!(virtual_status(&pod, &host, &base, &wording), expect);
    }

    #[test]
    fn the_hosts_status_is_told_in_words_of_the_tenant() {
        let waiting = |name: &str| {
            json!([{"name": "c", "state": {"waiting": {
            "reason": "CreateContainerConfigError", "message": format!("configmap \"{name}\" not found")}}}])
        };
        let sidecar = json!({"name": "mesh", "state": {"running": {}}});
        let mut both = waiting("conf-x-shop-x-demo");
        both.as_array_mut().unwrap().push(sidecar);
        check(
            json!({"metadata": {"generation": 7}, "spec": {"containers": [{"name": "c"}]}, "status": {"qosClass": "Burstable"}}),
            json!({"metadata": {"generation": 2}, "status": {"phase": "Pending", "podIP": "10.1.1.1", "qosClass": "BestEffort",
                "observedGeneration": 2, "containerStatuses": both,
                "conditions": [{"type": "Ready", "status": "False", "observedGeneration": 1}]}}),
            json!({"phase": "Pending", "podIP": "10.1.1.1", "qosClass": "Burstable", "observedGeneration": 7,
                "containerStatuses": waiting("conf"), "conditions": [{"type": "Ready", "status": "False"}]}),
        );
    }

    #[test]
    fn conditions_of_the_virtual_side_stay() {
        let gate = json!({"type": "gate.example.com", "status": "True"});
        let disrupted = json!({"type": "DisruptionTarget", "status": "True"});
        check(
            json!({"spec": {"readinessGates": [{"conditionType": "gate.example.com"}]},
                "status": {"conditions": [gate, disrupted, {"type": "Ready", "status": "True"}]}}),
            json!({"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "gate.example.com", "status": "False"}]}}),
            json!({"conditions": [{"type": "Ready", "status": "False"}, gate, disrupted]}),
        );
    }
}
