//! Conditions that the API server itself gives to pods: that they are bound, that they are evicted.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

/// Sets a condition to true, unless it says the same already; the time is that of its last change.
pub(super) fn set(pod: &mut Value, kind: &str, why: Option<(&str, &str)>, now: &str) {
    let mut condition = json!({
        "type": kind,
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": now,
    });
    if let Some((reason, message)) = why {
        condition.set("/reason", reason);
        condition.set("/message", message);
    }
    let mut conditions = pod.items("/status/conditions").to_vec();
    let was = conditions.iter_mut().find(|was| was.text("/type") == kind);
    match was {
        Some(was) => {
            if was.text("/status") == "True" {
                condition.set("/lastTransitionTime", was.at("/lastTransitionTime").clone());
            }
            *was = condition;
        }
        None => conditions.push(condition),
    }
    pod.set("/status/conditions", conditions);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_set_once_and_keeps_the_time_of_its_change() {
        let mut pod = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        set(&mut pod, "Ready", None, "1");
        set(&mut pod, "Ready", Some(("R", "m")), "2");
        set(&mut pod, "Other", None, "3");
        assert_eq!(
            pod.at("/status/conditions"),
            &json!([
                {"type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": "1", "reason": "R", "message": "m"},
                {"type": "Other", "status": "True", "lastProbeTime": null, "lastTransitionTime": "3"}
            ])
        );
    }
}
