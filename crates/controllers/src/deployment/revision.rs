//! The annotations of a rollout: revisions, their history, and the sizes that a ReplicaSet was last sized for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A ReplicaSet's (and its Deployment's) place in history.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Its earlier places.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's size when the set was last sized.
pub(super) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with surge.
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// What a ReplicaSet does not take over from its Deployment.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];
/// How long a history may grow, in characters.
const LONGEST_HISTORY: usize = 2000;

/// What to change in the annotations of the current ReplicaSet: the Deployment's own are copied, and a set that
/// becomes current again gets the newest number and remembers its old one.
pub(super) fn changes(
    deployment: &BTreeMap<String, String>,
    set: &BTreeMap<String, String>,
    newest: i64,
) -> Map<String, Value> {
    let mut changes: Map<String, Value> = deployment
        .iter()
        .filter(|(name, value)| !NOT_COPIED.contains(&name.as_str()) && set.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let old = set.get(REVISION);
    let old_number: i64 = old.and_then(|text| text.parse().ok()).unwrap_or_default();
    if old_number >= newest {
        return changes;
    }
    changes.insert(REVISION.to_owned(), newest.to_string().into());
    if let Some(old) = old {
        let history = extend_history(set.get(REVISION_HISTORY).map_or("", String::as_str), old);
        changes.insert(REVISION_HISTORY.to_owned(), history.into());
    }
    changes
}

/// Appends, and drops the oldest until it fits.
fn extend_history(history: &str, revision: &str) -> String {
    if history.is_empty() {
        return revision.to_owned();
    }
    let mut kept = history;
    while kept.len() + 1 + revision.len() > LONGEST_HISTORY {
        match kept.split_once(',') {
            Some((_, rest)) => kept = rest,
            None => return revision.to_owned(),
        }
    }
    format!("{kept},{revision}")
}

/// The annotations of a set that is sized now.
pub(super) fn sizes(desired: i64, max: i64) -> [(String, Value); 2] {
    [
        (DESIRED_REPLICAS.to_owned(), desired.to_string().into()),
        (MAX_REPLICAS.to_owned(), max.to_string().into()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(deployment: Value, set: Value, newest: i64, expect: Value) {
        let map = |value: &Value| serde_json::from_value(value.clone()).unwrap();
        assert_eq!(
            Value::Object(changes(&map(&deployment), &map(&set), newest)),
            expect
        );
    }

    #[test]
    fn a_current_set_has_the_newest_revision_and_the_deployments_annotations() {
        check(
            json!({"a": "b", REVISION: "7"}),
            json!({}),
            1,
            json!({"a": "b", REVISION: "1"}),
        );
        check(json!({"a": "b"}), json!({"a": "b", REVISION: "1"}), 1, json!({}));
        check(
            json!({}),
            json!({REVISION: "1"}),
            3,
            json!({REVISION: "3", REVISION_HISTORY: "1"}),
        );
        check(
            json!({}),
            json!({REVISION: "3", REVISION_HISTORY: "1"}),
            5,
            json!({REVISION: "5", REVISION_HISTORY: "1,3"}),
        );
    }

    #[test]
    fn a_long_history_loses_its_oldest() {
        let long = vec!["1000"; 400].join(",");
        let extended = extend_history(&long, "2000");
        assert!(extended.len() <= LONGEST_HISTORY);
        assert!(extended.ends_with(",1000,2000"));
    }
}
