//! What has to be written so that a host object says what is wanted. Pure.

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;

/// The merge patch that makes `old` say what `wanted` says; `None` when it does already. What `wanted` is silent about
/// stays, but below the pointers in `whole` it goes. The host fills in defaults: elements of lists may hold more than
/// is wanted of them.
pub(super) fn patch(old: &Value, wanted: &Value, whole: &[&str]) -> Option<Value> {
    let patch = change(old, wanted, "", whole, false)?;
    patch
        .as_object()
        .is_some_and(|patch| !patch.is_empty())
        .then_some(patch)
}

fn change(old: &Value, wanted: &Value, at: &str, whole: &[&str], inside: bool) -> Option<Value> {
    let inside = inside || whole.contains(&at);
    let (Value::Object(had), Value::Object(want)) = (old, wanted) else {
        return (!holds(old, wanted)).then(|| wanted.clone());
    };
    let mut patch = Map::new();
    for (name, value) in want {
        let below = format!("{at}/{name}");
        if let Some(change) = change(old.field(name), value, &below, whole, inside) {
            patch.insert(name.clone(), change);
        }
    }
    if inside {
        for name in had.keys().filter(|name| !want.contains_key(*name)) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Whether everything that is wanted is there.
fn holds(old: &Value, wanted: &Value) -> bool {
    match (old, wanted) {
        (Value::Object(_), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| holds(old.field(name), value))
        }
        (Value::Array(old), Value::Array(wanted)) => {
            old.len() == wanted.len() && old.iter().zip(wanted).all(|(old, wanted)| holds(old, wanted))
        }
        (old, wanted) => old == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_written_and_defaults_of_the_host_stay() {
        let old = json!({"metadata": {"labels": {"a": "1", "x": "others"}, "uid": "u"},
            "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1",
                "ports": [{"port": 443, "protocol": "TCP", "targetPort": 443}]}});
        let same = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"ports": [{"port": 443}]}});
        assert_eq!(patch(&old, &same, &[]), None);
        let other = json!({"metadata": {"labels": {"a": "2"}}, "spec": {"type": "NodePort"}});
        assert_eq!(
            patch(&old, &other, &[]),
            Some(json!({"metadata": {"labels": {"a": "2"}}, "spec": {"type": "NodePort"}}))
        );
    }

    #[test]
    fn below_a_whole_part_nothing_else_may_stand() {
        let old = json!({"metadata": {"uid": "u"}, "spec": {"hard": {"pods": "1", "secrets": "2"}, "scopes": ["A"]}});
        let wanted = json!({"spec": {"hard": {"pods": "1"}}});
        assert_eq!(
            patch(&old, &wanted, &["/spec"]),
            Some(json!({"spec": {"hard": {"secrets": null}, "scopes": null}}))
        );
        assert_eq!(patch(&old, &wanted, &[]), None);
    }
}
