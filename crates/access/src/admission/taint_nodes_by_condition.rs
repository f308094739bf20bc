//! TaintNodesByCondition: a new node takes no pods until it is ready.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::resource::NODES;
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::service_account::push;

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Upstream taints every new node and a controller takes the taint away; a node that is created ready (as nodes
/// that mirror the host's, or simulated ones, are) is left alone here.
pub(super) fn mutate(cx: &Asked<'_>, node: &mut Value) -> Result<(), Status> {
    if !cx.creates(&NODES) {
        return Ok(());
    }
    let is_ready = node
        .items("/status/conditions")
        .iter()
        .any(|condition| condition.text("/type") == "Ready" && condition.text("/status") == "True");
    let is_tainted = node
        .items("/spec/taints")
        .iter()
        .any(|taint| taint.text("/key") == NOT_READY && taint.text("/effect") == "NoSchedule");
    if !is_ready && !is_tainted {
        push(
            node,
            "/spec/taints",
            json!({"key": NOT_READY, "effect": "NoSchedule"}),
        );
    }
    Ok(())
}
