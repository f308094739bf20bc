//! The status of a virtual pod: its host pod's, in words of the virtual cluster. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, time};

use super::follow::{gate_changed, is_gate};
use crate::applied::Applied;
use crate::wording::Wording;

/// Statuses of containers, and the lists of the spec that name them.
const CONTAINER_STATUSES: &[(&str, &str)] = &[
    ("containerStatuses", "/spec/containers"),
    ("initContainerStatuses", "/spec/initContainers"),
    ("ephemeralContainerStatuses", "/spec/ephemeralContainers"),
];
const DISRUPTION_TARGET: &str = "DisruptionTarget";
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

/// Fields that name objects which only the host has.
const NAMES_OF_THE_HOST: &[&str] = &[
    "/resourceClaimStatuses",
    "/extendedResourceClaimStatus",
    "/nodeAllocatableResourceClaimStatuses",
];

/// The status that the virtual pod should have. `wording` is asked for only where there is something to reword.
pub(crate) fn virtual_status(
    pod: &Value,
    host: &Value,
    base: &Applied,
    wording: impl FnOnce() -> Wording,
) -> Value {
    let mut status = host.at("/status").clone();
    if !status.is_object() {
        return pod.at("/status").clone();
    }
    for field in NAMES_OF_THE_HOST {
        status.take_at(field);
    }
    if !host.text("/spec/nodeName").is_empty() {
        // A bound pod has no nominated node any more; older hosts leave it standing.
        status.take_at("/nominatedNodeName");
    }
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
    if speaks(&status) {
        wording().of_messages(&mut status);
    }
    status
}

/// Whether there is any message in a status.
fn speaks(status: &Value) -> bool {
    match status {
        Value::Object(map) => map.iter().any(|(key, value)| match value {
            Value::String(text) => key == "message" && !text.is_empty(),
            other => speaks(other),
        }),
        Value::Array(items) => items.iter().any(speaks),
        _ => false,
    }
}

/// Leaves the parts of a status that were refused as they are on the virtual pod.
pub(super) fn keep_refused(pod: &Value, refused: &Status, wanted: &mut Value) {
    let causes = refused.details().map(|details| details.causes.as_slice());
    for cause in causes.unwrap_or_default() {
        let Some(path) = cause.field.strip_prefix("status.") else {
            continue;
        };
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let pointer = format!("/{}", path.get(..end).unwrap_or_default());
        match pod.at("/status").at(&pointer) {
            Value::Null => {
                wanted.take_at(&pointer);
            }
            there => wanted.set(&pointer, there.clone()),
        }
    }
}

/// The last status of a virtual pod that was on the host and is not any more; `None` where it says already how it ended,
/// or where nobody will read it. As upstream's collector of orphaned pods has it: controllers wait for an end.
pub(super) fn of_lost(pod: &Value, now: Timestamp) -> Option<Value> {
    let over = matches!(pod.text("/status/phase"), "Succeeded" | "Failed");
    let deleting = !pod.at("/metadata/deletionTimestamp").is_null();
    let unread = deleting && pod.items("/metadata/finalizers").is_empty();
    if over || unread || !was_on_host(pod) {
        return None;
    }
    let mut status = pod.at("/status").clone();
    status.set("/phase", "Failed");
    let mut conditions = pod.items("/status/conditions").to_vec();
    let is_target = |condition: &Value| condition.text("/type") == DISRUPTION_TARGET;
    let told = conditions
        .iter()
        .any(|one| is_target(one) && one.text("/status") == "True");
    if !deleting && !told {
        conditions.retain(|condition| !is_target(condition));
        let mut disrupted = json!({"type": DISRUPTION_TARGET, "status": "True", "reason": "DeletionByHost",
            "message": "The pod was deleted on the host cluster", "lastTransitionTime": time::format(now)});
        if let Some(generation) = pod.int("/metadata/generation") {
            disrupted.set("/observedGeneration", generation);
        }
        conditions.push(disrupted);
    }
    status.set("/conditions", conditions);
    Some(status)
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

/// The labels that an API server gives a pod on its way to a node, from the node's.
pub(super) const TOPOLOGY: &[&str] = &["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

/// Those that a virtual pod gets with its node.
pub(super) fn topology_labels(pod: &Value, host: &Value) -> Map<String, Value> {
    let labels = |side: &Value, key: &str| side.at("/metadata/labels").field(key).clone();
    let new = TOPOLOGY.iter().filter(|key| labels(pod, key).is_null());
    let found = new.map(|key| ((*key).to_owned(), labels(host, key)));
    found.filter(|(_, value)| !value.is_null()).collect()
}

/// Whether a virtual pod was on the host once: its status says what only a host's scheduler or kubelet can.
pub(crate) fn was_on_host(pod: &Value) -> bool {
    let scheduled = pod.items("/status/conditions").iter().any(|condition| {
        condition.text("/type") == "PodScheduled"
            && !matches!(
                condition.text("/reason"),
                "SchedulingGated" | super::paused::REASON
            )
    });
    scheduled || !pod.text("/status/startTime").is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::StatusReason;
    use warren_apimachinery::status::Cause;

    use super::*;
    use crate::applied::Parts;
    use crate::testing::binding;

    #[track_caller]
    fn check(pod: Value, host: Value, expect: Value) {
        let mut wording = Wording::of(&binding(), "shop");
        wording.replace("conf-x-shop-x-demo", "conf");
        let base = Applied::of(&Parts::new());
        assert_eq!(virtual_status(&pod, &host, &base, || wording), expect);
    }

    #[test]
    fn a_bound_pod_has_no_nominated_node_and_claims_of_the_host_are_not_told() {
        check(
            json!({}),
            json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running", "nominatedNodeName": "n",
                "resourceClaimStatuses": [{"name": "c", "resourceClaimName": "host-c"}],
                "extendedResourceClaimStatus": {"resourceClaimName": "host-e"}, "futureField": {"a": 1}}}),
            json!({"phase": "Running", "futureField": {"a": 1}}),
        );
        check(
            json!({}),
            json!({"status": {"phase": "Pending", "nominatedNodeName": "n"}}),
            json!({"phase": "Pending", "nominatedNodeName": "n"}),
        );
    }

    #[test]
    fn what_is_refused_stays_as_it_was() {
        let cause = |field: &str| Cause {
            field: field.to_owned(),
            ..Cause::default()
        };
        let causes = vec![cause("status.containerStatuses[0].user"), cause("status.hostIPs")];
        let refused = Status::new(StatusReason::Invalid, "").with_causes(causes);
        let pod = json!({"status": {"containerStatuses": [{"name": "old"}]}});
        let mut wanted =
            json!({"phase": "Running", "hostIPs": ["x"], "containerStatuses": [{"name": "new"}]});
        keep_refused(&pod, &refused, &mut wanted);
        assert_eq!(
            wanted,
            json!({"phase": "Running", "containerStatuses": [{"name": "old"}]})
        );
    }

    #[test]
    fn a_pod_that_the_host_lost_ends_as_a_disrupted_one() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let ran = json!([{"type": "PodScheduled", "status": "True"}]);
        let mut pod =
            json!({"metadata": {"generation": 2}, "status": {"phase": "Running", "conditions": ran}});
        let lost = of_lost(&pod, now).unwrap();
        assert_eq!(lost.text("/phase"), "Failed");
        assert_eq!(
            lost.at("/conditions/1"),
            &json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByHost",
                "message": "The pod was deleted on the host cluster", "lastTransitionTime": "2026-11-22T10:00:00Z",
                "observedGeneration": 2})
        );
        // The tenant deleted it: only a finalizer's owner still waits for an end.
        pod.set("/metadata/deletionTimestamp", "t");
        assert_eq!(of_lost(&pod, now), None);
        pod.set(
            "/metadata/finalizers",
            json!(["batch.kubernetes.io/job-tracking"]),
        );
        let lost = of_lost(&pod, now).unwrap();
        assert_eq!(
            (lost.text("/phase"), lost.items("/conditions").len()),
            ("Failed", 1)
        );
        pod.set("/status/phase", "Succeeded");
        assert_eq!(of_lost(&pod, now), None);
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
