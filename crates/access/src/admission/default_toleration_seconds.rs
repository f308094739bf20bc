//! DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or out of reach.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::service_account::push;

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: i64 = 300;

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.writes(&PODS) {
        return Ok(());
    }
    for taint in TAINTS {
        let is_tolerated = pod.items("/spec/tolerations").iter().any(|toleration| {
            let (key, effect) = (toleration.text("/key"), toleration.text("/effect"));
            (key.is_empty() || key == taint) && (effect.is_empty() || effect == "NoExecute")
        });
        if !is_tolerated {
            let toleration = json!({"key": taint, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": SECONDS});
            push(pod, "/spec/tolerations", toleration);
        }
    }
    Ok(())
}
