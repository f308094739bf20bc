//! `certificatesigningrequests/approval`: the conditions of a request, with their times.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// Takes only the conditions from the new object. A condition without times gets those of its predecessor, if
/// that said the same.
pub(super) fn isolate(new: &mut Value, old: &Value) {
    super::with_metadata(new, old, &["/status/conditions"]);
}

/// Gives conditions without times the time of the request.
pub(crate) fn stamp_conditions(new: &mut Value, old: &Value, now: &str) {
    let Some(Value::Array(conditions)) = new.pointer_mut("/status/conditions") else {
        return;
    };
    for condition in conditions {
        if condition.text("/lastUpdateTime").is_empty() {
            condition.set("/lastUpdateTime", now);
        }
        if condition.text("/lastTransitionTime").is_empty() {
            let before = old
                .items("/status/conditions")
                .iter()
                .find(|was| was.field("type") == condition.field("type"))
                .filter(|was| was.field("status") == condition.field("status"))
                .map(|was| was.text("/lastTransitionTime").to_owned());
            condition.set("/lastTransitionTime", before.unwrap_or_else(|| now.to_owned()));
        }
    }
}
