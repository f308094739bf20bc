//! A pod spec as upstream keeps it and shows it in messages.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// Fields of the spec that upstream's own form of a pod has in the security context.
const SHARED_WITH_HOST: [&str; 5] = [
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "hostUsers",
];

/// A pod spec, or the one of a template, whose security context says, too, what is shared with the host.
pub(crate) fn internal_spec(owner: &Value) -> Value {
    let mut internal = owner.clone();
    let prefix = if owner.field("spec").is_object() {
        "/spec"
    } else {
        ""
    };
    for field in SHARED_WITH_HOST {
        if let Some(value) = internal.take_at(&format!("{prefix}/{field}")) {
            internal.set(&format!("{prefix}/securityContext/{field}"), value);
        }
    }
    internal
}
