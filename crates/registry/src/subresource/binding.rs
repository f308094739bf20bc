//! `pods/binding` (and the legacy `bindings`): the scheduler's word on which node a pod runs.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Status, time};
use warren_storage::WriteKind;

use super::pod_condition;
use crate::admission;
use crate::change::Current;
use crate::commit::{Refusal, draft};
use crate::decode::Expected;
use crate::operation::Operation;

const BINDING: Expected<'static> = Expected {
    group: "",
    version: "v1",
    kind: "Binding",
};
/// How often a binding starts over because others were quicker.
const ROUNDS: usize = 16;

impl Operation<'_> {
    /// Assigns the pod to the node that the `Binding` targets.
    pub(super) async fn bind(&self, binding: &Value) -> Result<Value, Status> {
        let mut binding = self.registry.decode_part(self.cx, BINDING, binding.clone())?;
        self.check_body_name(&binding, "Binding")?;
        self.mutate(admission::Operation::Create, &mut binding, None)
            .await?;
        let binding = &binding;
        check_target(binding)?;
        self.admit(admission::Operation::Create, Some(binding), None)
            .await?;
        for _ in 0..ROUNDS {
            let current = self.existing().await?;
            self.check_uid(binding, &current)?;
            self.check_bound_revision(binding, &current)?;
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

    /// The pod must be at the revision that the binding names, if it names one.
    fn check_bound_revision(&self, binding: &Value, current: &Current) -> Result<(), Status> {
        let asked = binding.text("/metadata/resourceVersion");
        let is = current.object.meta().revision.to_string();
        if asked.is_empty() || asked == is {
            return Ok(());
        }
        let why = format!(
            "{}Precondition failed: ResourceVersion in precondition: {asked}, ResourceVersion in object meta: {is}",
            self.storage_error()
        );
        Err(Status::conflict(
            &self.definition.group_resource(),
            &self.key.name,
            &why,
        ))
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
    for pointer in ["/metadata/annotations", "/metadata/labels"] {
        let added = binding.at(pointer).as_object().filter(|map| !map.is_empty());
        if let Some(added) = added
            && let Some(map) = bound.object_at(pointer)
        {
            map.extend(added.clone());
        }
    }
    bound.take_at("/status/nominatedNodeName");
    pod_condition::set(&mut bound, "PodScheduled", None, now);
    Ok(bound)
}
