//! DefaultTolerationSeconds: pods stay a while, five minutes unless said, on a node that is not ready or out of reach.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::service_account::push;

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.writes(&PODS) {
        return Ok(());
    }
    let taints = [
        ("node.kubernetes.io/not-ready", cx.settings.not_ready_seconds),
        ("node.kubernetes.io/unreachable", cx.settings.unreachable_seconds),
    ];
    let given = pod.items("/spec/tolerations").to_vec();
    for (taint, seconds) in taints {
        let is_tolerated = given.iter().any(|toleration| {
            let (key, effect) = (toleration.text("/key"), toleration.text("/effect"));
            (key.is_empty() || key == taint) && (effect.is_empty() || effect == "NoExecute")
        });
        if !is_tolerated {
            let toleration = json!({"key": taint, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": seconds});
            push(pod, "/spec/tolerations", toleration);
        }
    }
    Ok(())
}
