//! ExtendedResourceToleration: a pod that asks for a device tolerates the taint of the nodes that have it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, name};
use warren_registry::admission::Operation;

use super::Asked;
use super::service_account::push;
use super::tolerations::{is_same, matches};

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update) && cx.writes(&PODS);
    if !writes {
        return Ok(());
    }
    let devices: BTreeSet<String> = ["/spec/containers", "/spec/initContainers"]
        .into_iter()
        .flat_map(|list| pod.items(list))
        .flat_map(|container| {
            container
                .at("/resources/requests")
                .as_object()
                .into_iter()
                .flatten()
        })
        .map(|(name, _)| name.clone())
        .filter(|name| is_extended(name))
        .collect();
    for device in devices {
        let wanted = json!({"key": device, "operator": "Exists", "effect": "NoSchedule"});
        put(pod, &wanted);
    }
    Ok(())
}

/// Whether a name is of a resource that a node's owner made up.
pub(super) fn is_extended(resource: &str) -> bool {
    let is_native = !resource.contains('/') || resource.contains("kubernetes.io/");
    !is_native
        && !resource.starts_with("requests.")
        && name::qualified_name(&format!("requests.{resource}")).is_empty()
}

/// In the place of those that match it, else at the end.
fn put(pod: &mut Value, wanted: &Value) {
    let mut is_there = false;
    let held = pod.pointer_mut("/spec/tolerations").and_then(Value::as_array_mut);
    for toleration in held.into_iter().flatten() {
        if matches(toleration, wanted) {
            is_there = true;
            if !is_same(toleration, wanted) {
                *toleration = wanted.clone();
            }
        }
    }
    if !is_there {
        push(pod, "/spec/tolerations", wanted.clone());
    }
}
