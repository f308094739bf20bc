//! `pods/binding` (and the legacy `bindings`): the scheduler's word on which node a pod runs.

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Status, time};
use warren_storage::WriteKind;

use crate::admission;
use crate::commit::{Refusal, draft};
use crate::operation::Operation;

/// How often a binding starts over because others were quicker.
const ROUNDS: usize = 16;

impl Operation<'_> {
    /// Assigns the pod to the node that the `Binding` targets.
    pub(super) async fn bind(&self, binding: &Value) -> Result<Value, Status> {
        self.check_body_name(binding, "Binding")?;
        check_target(binding)?;
        self.admit(admission::Operation::Create, Some(binding), None)
            .await?;
        for _ in 0..ROUNDS {
            let current = self.existing()?;
            let bound = bound(&current.value, binding, &time::format(self.registry.now()))
                .map_err(|why| self.binding_conflict(&why))?;
            if self.cx.dry_run {
                return Ok(super::success());
            }
            let change = WriteKind::Update {
                draft: draft(self.definition, bound),
                expected: current.object.meta().revision,
            };
            let bound = self.registry.commit(self.definition, self.key, change).await;
            if Refusal::unless_outrun(bound)?.is_some() {
                return Ok(super::success());
            }
        }
        Err(self.modified())
    }

    fn binding_conflict(&self, why: &str) -> Status {
        Status::conflict(&GroupResource::new("", "pods/binding"), &self.key.name, why)
    }
}

fn check_target(binding: &Value) -> Result<(), Status> {
    let path = Path::new("target");
    let mut errors = Vec::new();
    let kind = binding.text("/target/kind");
    if !kind.is_empty() && kind != "Node" {
        errors.push(Error::not_supported(
            &path.child("kind"),
            kind,
            &["Node", "<empty>"],
        ));
    }
    if binding.text("/target/name").is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Status::unclassified(one.to_string())),
        many => {
            let all: Vec<String> = many.iter().map(ToString::to_string).collect();
            Err(Status::unclassified(format!("[{}]", all.join(", "))))
        }
    }
}

/// The pod on its node, or why it cannot be.
fn bound(pod: &Value, binding: &Value, now: &str) -> Result<Value, String> {
    let name = pod.text("/metadata/name");
    let uid = binding.text("/metadata/uid");
    if !uid.is_empty() && uid != pod.text("/metadata/uid") {
        return Err(format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            pod.text("/metadata/uid")
        ));
    }
    if !pod.at("/metadata/deletionTimestamp").is_null() {
        return Err(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        ));
    }
    let node = pod.text("/spec/nodeName");
    if !node.is_empty() {
        return Err(format!("pod {name} is already assigned to node {node:?}"));
    }
    if !pod.items("/spec/schedulingGates").is_empty() {
        return Err(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let mut bound = pod.clone();
    bound.set("/spec/nodeName", binding.text("/target/name"));
    if let (Some(added), Some(annotations)) = (
        binding
            .at("/metadata/annotations")
            .as_object()
            .filter(|map| !map.is_empty()),
        bound.object_at("/metadata/annotations"),
    ) {
        annotations.extend(added.clone());
    }
    bound.take_at("/status/nominatedNodeName");
    set_scheduled(&mut bound, now);
    Ok(bound)
}

fn set_scheduled(pod: &mut Value, now: &str) {
    let condition = json!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": now,
    });
    let mut conditions = pod.items("/status/conditions").to_vec();
    let at = conditions
        .iter()
        .position(|condition| condition.text("/type") == "PodScheduled");
    match at.and_then(|at| conditions.get_mut(at)) {
        Some(was) if was.text("/status") == "True" => {}
        Some(was) => *was = condition,
        None => conditions.push(condition),
    }
    pod.set("/status/conditions", conditions);
}
