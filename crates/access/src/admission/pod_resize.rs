//! PodResizeValidator: a pod grows only as far as its node can give.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{NODES, PODS};
use warren_apimachinery::status::Cause;
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;
use super::pod_resources::{Amounts, Basis, amounts, of_pod};

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let is_resize = cx.operation == Operation::Update && PODS.is(&cx.resource) && cx.subresource == "resize";
    let (Some(pod), Some(old)) = (pod.filter(|_| is_resize), cx.old) else {
        return Ok(());
    };
    let name = pod.text("/spec/nodeName");
    if name.is_empty() || old.at("/spec") == pod.at("/spec") {
        return Ok(());
    }
    let Some(node) = cx.find(&NODES, "", name) else {
        return Err(cx.forbidden(pod, format!("node {name:?} not found")));
    };
    let refused = |why: String, reason: &str| {
        Err(cx.forbidden(pod, why).with_causes(vec![Cause {
            reason: reason.to_owned(),
            ..Cause::default()
        }]))
    };
    let system = node.meta().label("kubernetes.io/os").unwrap_or("linux");
    if system != "linux" {
        let why = format!("pod resize is only supported on linux nodes, node {name:?} is {system:?}");
        return refused(why, "UnsupportedPlatform");
    }
    match lacking(pod, &node.to_value()) {
        Some(why) => refused(why, "NodeCapacity"),
        None => Ok(()),
    }
}

/// What the node has too little of.
fn lacking(pod: &Value, node: &Value) -> Option<String> {
    let (asked, has) = (
        of_pod(pod, "requests", Basis::Spec),
        amounts(node.at("/status/allocatable")),
    );
    let of = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or_default();
    let mut lacks = Vec::new();
    let (wanted, held) = (of(&asked, "cpu"), of(&has, "cpu"));
    if wanted > held {
        let (wanted, held) = (wanted.milli_value(), held.milli_value());
        lacks.push(format!("cpu, requested: {wanted}, allocatable: {held}"));
    }
    let (wanted, held) = (of(&asked, "memory"), of(&has, "memory"));
    if wanted > held {
        let (wanted, held) = (wanted.value(), held.value());
        lacks.push(format!("memory, requested: {wanted}, allocatable: {held}"));
    }
    let why = format!(
        "node didn't have enough allocatable resources: {}",
        lacks.join("; ")
    );
    (!lacks.is_empty()).then_some(why)
}
