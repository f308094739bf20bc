//! Changes of virtual pods that are only what the host said of them, written by this rule: they concern nobody here.
//!
//! Without this every status that comes back would be followed by a pass that finds nothing, for every pod of a burst.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use warren_apimachinery::Object;

/// As much of a pod as the rule carries to the host, or decides by. A changed spec is a new generation.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default)]
struct Seen {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    generation: i64,
    annotations: BTreeMap<String, String>,
    deletion_grace_period_seconds: Option<i64>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
    /// Conditions that gates name go to the host.
    readiness_gates: Vec<Gate>,
}

#[derive(PartialEq, Deserialize)]
#[serde(from = "IgnoredAny")]
struct Gate;

impl From<IgnoredAny> for Gate {
    fn from(_: IgnoredAny) -> Self {
        Self
    }
}

/// Whether nothing but the status of a virtual pod changed.
pub(super) fn is_echo(before: &Object, after: &Object) -> bool {
    let (old, new) = (before.meta(), after.meta());
    let same_index = old.uid == new.uid
        && old.labels == new.labels
        && old.deleting == new.deleting
        && old.owners == new.owners
        && old.finalizers == new.finalizers;
    if !same_index {
        return false;
    }
    match (before.view::<Seen>(), after.view::<Seen>()) {
        (Ok(before), Ok(after)) => before == after && after.spec.readiness_gates.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use warren_apimachinery::value::ValueExt;

    use super::*;

    #[track_caller]
    fn check(change: impl Fn(&mut Value), expect: bool) {
        let pod = json!({"metadata": {"name": "a", "uid": "u", "generation": 1, "annotations": {"a": "1"}},
            "spec": {"nodeName": "n"}, "status": {"phase": "Pending"}});
        let mut changed = pod.clone();
        change(&mut changed);
        assert_eq!(
            is_echo(&Object::from_value(&pod), &Object::from_value(&changed)),
            expect,
            "{changed}"
        );
    }

    #[test]
    fn only_a_status_is_an_echo() {
        check(|pod| pod.set("/status/phase", "Running"), true);
        check(|pod| pod.set("/metadata/generation", 2), false);
        check(|pod| pod.set("/metadata/annotations/a", "2"), false);
        check(|pod| pod.set("/metadata/labels/a", "2"), false);
        check(|pod| pod.set("/metadata/deletionTimestamp", "t"), false);
        check(|pod| pod.set("/metadata/deletionGracePeriodSeconds", 0), false);
        check(|pod| pod.set("/metadata/finalizers", json!([])), true);
        check(|pod| pod.set("/metadata/finalizers", json!(["f"])), false);
        check(|pod| pod.set("/spec/nodeName", "m"), false);
        check(|pod| pod.set("/metadata/uid", "v"), false);
        check(
            |pod| pod.set("/spec/readinessGates", json!([{"conditionType": "g"}])),
            false,
        );
    }
}
