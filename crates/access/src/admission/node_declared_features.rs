//! NodeDeclaredFeatureValidator: what is changed of a running pod must be what its node says it can do.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{NODES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let is_asked =
        cx.operation == Operation::Update && PODS.is(&cx.resource) && matches!(cx.subresource, "" | "resize");
    let (Some(pod), Some(old)) = (pod.filter(|_| is_asked), cx.old) else {
        return Ok(());
    };
    let name = pod.text("/spec/nodeName");
    let needed = needed(old, pod);
    if name.is_empty() || needed.is_empty() {
        return Ok(());
    }
    let Some(node) = cx.find(&NODES, "", name) else {
        return Err(cx.forbidden(pod, format!("node {name:?} not found")));
    };
    let node = node.to_value();
    let declared = node.items("/status/declaredFeatures");
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|feature| !declared.iter().any(|has| has == feature))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!(
        "pod update requires features {} which are not available on node {name:?}",
        missing.join(", ")
    );
    Err(cx.forbidden(pod, why))
}

/// The features that a change asks of the node; all others are asked when the pod is scheduled.
fn needed(old: &Value, pod: &Value) -> Vec<&'static str> {
    let mut needed = Vec::new();
    let whole = "/spec/resources";
    if old.at(whole) != pod.at(whole) {
        needed.push("InPlacePodLevelResourcesVerticalScaling");
    }
    let before = old.items("/spec/initContainers");
    let after = pod.items("/spec/initContainers");
    let grows = before.iter().zip(after).any(|(before, after)| {
        before.text("/restartPolicy") != "Always" && before.at("/resources") != after.at("/resources")
    });
    if grows {
        needed.push("InPlacePodVerticalScalingInitContainers");
    }
    needed
}
