//! `unbinding` of pods: the opposite of `binding`, by which the syncer takes a pod back to where it was before it was
//! scheduled, as pausing a virtual cluster does. No path of the API leads to it: upstream has no such thing.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, time};
use warren_storage::WriteKind;

use crate::commit::{Refusal, draft};
use crate::operation::Operation;

/// How often it starts over because others were quicker.
const ROUNDS: usize = 16;
/// What stays of the status: decided by the API server, not by a node.
const KEPT: &[&str] = &["qosClass", "observedGeneration"];

impl Operation<'_> {
    /// Takes node and status from the pod. `body` says why: `reason` and `message` of its condition `PodScheduled`.
    pub(super) async fn unbind(&self, body: &Value) -> Result<Value, Status> {
        for _ in 0..ROUNDS {
            let current = self.existing().await?;
            self.check_uid(body, &current)?;
            let free = unbound(&current.value, body, &time::format(self.registry.now()));
            if self.cx.dry_run || free == current.value {
                return Ok(super::success());
            }
            let change = WriteKind::Update {
                draft: draft(self.definition, free),
                expected: current.object.meta().revision,
            };
            let written = self.registry.commit(self.definition, self.key, change).await;
            if Refusal::unless_outrun(written)?.is_some() {
                return Ok(super::success());
            }
        }
        Err(self.modified())
    }
}

/// The pod as if it had never run. Conditions of its readiness gates stay: others than nodes write them.
fn unbound(pod: &Value, why: &Value, now: &str) -> Value {
    let mut free = pod.clone();
    free.take_at("/spec/nodeName");
    let old = pod.at("/status");
    let mut status = json!({"phase": "Pending"});
    for field in KEPT {
        if !old.field(field).is_null() {
            status.set(&format!("/{field}"), old.field(field).clone());
        }
    }
    let conditions = old.items("/conditions");
    let said = conditions.iter().find(|condition| {
        condition.text("/type") == "PodScheduled"
            && condition.text("/status") == "False"
            && condition.text("/reason") == why.text("/reason")
    });
    let waiting = said.cloned().unwrap_or_else(|| {
        json!({"type": "PodScheduled", "status": "False", "reason": why.text("/reason"),
            "message": why.text("/message"), "lastProbeTime": null, "lastTransitionTime": now})
    });
    let gates = pod.items("/spec/readinessGates");
    let is_gate = |kind: &str| gates.iter().any(|gate| gate.text("/conditionType") == kind);
    let kept = conditions
        .iter()
        .filter(|condition| is_gate(condition.text("/type")));
    status.set(
        "/conditions",
        kept.cloned().chain([waiting]).collect::<Vec<Value>>(),
    );
    free.set("/status", status);
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_ran_is_as_one_that_waits_for_its_node() {
        let pod = json!({"spec": {"nodeName": "n", "readinessGates": [{"conditionType": "a/b"}], "containers": []},
            "status": {"phase": "Running", "qosClass": "Burstable", "podIP": "10.0.0.1", "startTime": "t",
                "containerStatuses": [{"name": "c"}], "conditions": [
                    {"type": "Ready", "status": "True"}, {"type": "a/b", "status": "True"},
                    {"type": "PodScheduled", "status": "True"}]}});
        let why = json!({"reason": "Paused", "message": "it sleeps"});
        let free = unbound(&pod, &why, "now");
        assert_eq!(
            free,
            json!({"spec": {"readinessGates": [{"conditionType": "a/b"}], "containers": []},
                "status": {"phase": "Pending", "qosClass": "Burstable", "conditions": [
                    {"type": "a/b", "status": "True"},
                    {"type": "PodScheduled", "status": "False", "reason": "Paused", "message": "it sleeps",
                        "lastProbeTime": null, "lastTransitionTime": "now"}]}})
        );
        assert_eq!(
            unbound(&free, &why, "later"),
            free,
            "a second time changes nothing"
        );
    }
}
