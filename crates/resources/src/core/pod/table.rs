//! A pod's row in `kubectl get pods`.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;

use crate::table::{age, name, or_none, timestamp};

/// Restarts of containers and when the last of them was.
#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += status.int("/restartCount").unwrap_or_default();
        let finished = timestamp(status.at("/lastState/terminated/finishedAt"));
        self.last = self.last.max(finished);
    }

    fn cell(&self, now: Timestamp) -> String {
        match self.last {
            Some(last) if self.count != 0 => format!("{} ({} ago)", self.count, time::age(last, now)),
            _ => self.count.to_string(),
        }
    }
}

/// What the containers' states make of a pod.
struct Summary {
    reason: String,
    ready: usize,
    restarts: Restarts,
}

/// The cells, one per column.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let sidecars = pod
        .items("/spec/initContainers")
        .iter()
        .filter(|container| is_sidecar(container))
        .count();
    let total = pod.items("/spec/containers").len() + sidecars;
    let summary = summary(pod);
    vec![
        name(pod),
        format!("{}/{total}", summary.ready).into(),
        summary.reason.into(),
        summary.restarts.cell(now).into(),
        age(pod, now),
        or_none(pod.text("/status/podIPs/0/ip")),
        or_none(pod.text("/spec/nodeName")),
        or_none(pod.text("/status/nominatedNodeName")),
        readiness_gates(pod),
    ]
}

/// That the pod ended, and how.
pub(super) fn conditions(pod: &Value) -> Option<Value> {
    let phase = pod.text("/status/phase");
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": phase, "message": message}))
}

fn is_sidecar(container: &Value) -> bool {
    container.text("/restartPolicy") == "Always"
}

fn summary(pod: &Value) -> Summary {
    let phase = pod.text("/status/phase");
    let status_reason = pod.text("/status/reason");
    let conditions = pod.items("/status/conditions");
    let gated = conditions.iter().any(|condition| {
        condition.text("/type") == "PodScheduled" && condition.text("/reason") == "SchedulingGated"
    });
    let reason = match (gated, status_reason) {
        (true, _) => "SchedulingGated",
        (false, "") => phase,
        (false, reason) => reason,
    };
    let mut summary = Summary {
        reason: reason.to_owned(),
        ready: 0,
        restarts: Restarts::default(),
    };
    let mut sidecar_restarts = Restarts::default();
    let initializing = init_containers(pod, &mut summary, &mut sidecar_restarts);
    if !initializing || is_true(conditions, "Initialized") {
        summary.restarts = sidecar_restarts;
        containers(pod, &mut summary);
    }
    let deleting = !pod.at("/metadata/deletionTimestamp").is_null();
    if deleting && status_reason == "NodeLost" {
        "Unknown".clone_into(&mut summary.reason);
    } else if deleting && !matches!(phase, "Failed" | "Succeeded") {
        "Terminating".clone_into(&mut summary.reason);
    }
    summary
}

fn is_true(conditions: &[Value], kind: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.text("/type") == kind && condition.text("/status") == "True")
}

/// Looks at init containers up to the first that is not done; says whether there is one.
fn init_containers(pod: &Value, summary: &mut Summary, sidecar_restarts: &mut Restarts) -> bool {
    let specs = pod.items("/spec/initContainers");
    for (at, status) in pod.items("/status/initContainerStatuses").iter().enumerate() {
        summary.restarts.add(status);
        let spec = specs
            .iter()
            .find(|spec| spec.text("/name") == status.text("/name"));
        let sidecar = spec.is_some_and(is_sidecar);
        if sidecar {
            sidecar_restarts.add(status);
        }
        let terminated = status.at("/state/terminated");
        if terminated.int("/exitCode").unwrap_or_default() == 0 && !terminated.is_null() {
            continue;
        }
        if sidecar && status.field("started").as_bool() == Some(true) {
            if status.field("ready").as_bool() == Some(true) {
                summary.ready += 1;
            }
            continue;
        }
        let waiting = status.text("/state/waiting/reason");
        summary.reason = if !terminated.is_null() {
            format!("Init:{}", termination(terminated))
        } else if !matches!(waiting, "" | "PodInitializing") {
            format!("Init:{waiting}")
        } else {
            format!("Init:{at}/{}", specs.len())
        };
        return true;
    }
    false
}

/// Why a container ended: its reason, signal or exit code.
fn termination(terminated: &Value) -> String {
    let signal = terminated.int("/signal").unwrap_or_default();
    match terminated.text("/reason") {
        "" if signal != 0 => format!("Signal:{signal}"),
        "" => format!("ExitCode:{}", terminated.int("/exitCode").unwrap_or_default()),
        reason => reason.to_owned(),
    }
}

fn containers(pod: &Value, summary: &mut Summary) {
    let mut running = false;
    for status in pod.items("/status/containerStatuses").iter().rev() {
        summary.restarts.add(status);
        let waiting = status.text("/state/waiting/reason");
        let terminated = status.at("/state/terminated");
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if !terminated.is_null() {
            summary.reason = termination(terminated);
        } else if status.field("ready").as_bool() == Some(true) && !status.at("/state/running").is_null() {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" && running {
        let ready = is_true(pod.items("/status/conditions"), "Ready");
        let reason = if ready { "Running" } else { "NotReady" };
        reason.clone_into(&mut summary.reason);
    }
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = pod.items("/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".into();
    }
    let conditions = pod.items("/status/conditions");
    let open = gates
        .iter()
        .filter(|gate| is_true(conditions, gate.text("/conditionType")))
        .count();
    format!("{open}/{}", gates.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pod: Value, ready: &str, status: &str, restarts: &str) {
        let now = "2026-01-01T00:10:00Z".parse().unwrap();
        let cells = cells(&pod, now);
        let row: Vec<&str> = cells[1..4].iter().filter_map(Value::as_str).collect();
        assert_eq!(row, [ready, status, restarts], "{pod}");
    }

    #[test]
    fn rows_read_as_upstream_prints_them() {
        let spec = json!({"containers": [{"name": "a"}, {"name": "b"}]});
        let running = json!({"name": "a", "ready": true, "restartCount": 0, "state": {"running": {}}});
        check(
            json!({"spec": spec, "status": {"phase": "Running", "containerStatuses": [running, running]}}),
            "2/2",
            "Running",
            "0",
        );
        let crashing = json!({"name": "b", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:05:00Z"}}});
        check(
            json!({"spec": spec, "status": {"phase": "Running", "containerStatuses": [running, crashing]}}),
            "1/2",
            "CrashLoopBackOff",
            "2 (5m ago)",
        );
        let done = json!({"name": "a", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        check(
            json!({"spec": {"containers": [{"name": "a"}]},
                "status": {"phase": "Succeeded", "containerStatuses": [done]}}),
            "0/1",
            "Completed",
            "0",
        );
        check(
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec,
                "status": {"phase": "Running", "containerStatuses": [running, running]}}),
            "2/2",
            "Terminating",
            "0",
        );
    }

    #[test]
    fn init_containers_and_sidecars_count() {
        let spec = json!({"containers": [{"name": "c"}],
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]});
        check(
            json!({"spec": spec, "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "restartCount": 1, "state": {"running": {}}}]}}),
            "0/2",
            "Init:0/2",
            "1",
        );
        check(
            json!({"spec": spec, "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "restartCount": 0, "state": {"terminated": {"exitCode": 3}}}]}}),
            "0/2",
            "Init:ExitCode:3",
            "0",
        );
        check(
            json!({"spec": spec, "status": {"phase": "Running", "initContainerStatuses": [
                {"name": "i", "restartCount": 4, "state": {"terminated": {"exitCode": 0}}},
                {"name": "s", "restartCount": 1, "started": true, "ready": true, "state": {"running": {}}}],
                "containerStatuses": [{"name": "c", "ready": true, "restartCount": 0, "state": {"running": {}}}]}}),
            "2/2",
            "Running",
            "1",
        );
    }

    #[test]
    fn gates_and_lost_nodes_are_shown() {
        check(
            json!({"spec": {"containers": [{"name": "a"}]}, "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}}),
            "0/1",
            "SchedulingGated",
            "0",
        );
        check(
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"containers": [{"name": "a"}]}, "status": {"phase": "Running", "reason": "NodeLost"}}),
            "0/1",
            "Unknown",
            "0",
        );
    }
}
