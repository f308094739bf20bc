//! PodTopologyLabels: a pod that is bound carries the zone and the region of its node.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{NODES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;

const LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

/// `object` is the pod, or the `Binding` whose labels the pod will get.
pub(super) fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    let is_asked = cx.operation == Operation::Create && PODS.is(&cx.resource);
    let node = match cx.subresource {
        "" if is_asked => object.text("/spec/nodeName"),
        "binding" if is_asked && object.text("/target/kind") == "Node" => object.text("/target/name"),
        _ => return Ok(()),
    };
    let Some(node) = cx.find(&NODES, "", node) else {
        return Ok(());
    };
    for key in LABELS {
        if let Some(value) = node.meta().label(key)
            && let Some(labels) = object.object_at("/metadata/labels")
        {
            labels.insert(key.to_owned(), value.into());
        }
    }
    Ok(())
}
