//! What upstream warns of finalizers that are put on custom resources.

use serde_json::Value;
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// The warnings for finalizers that were not there before.
pub(super) fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let before = old
        .map(|old| old.items("/metadata/finalizers"))
        .unwrap_or_default();
    let mut added: Vec<&str> = new
        .items("/metadata/finalizers")
        .iter()
        .filter(|finalizer| !before.contains(finalizer))
        .filter_map(Value::as_str)
        .collect();
    added.sort_unstable();
    added.dedup();
    added.into_iter().flat_map(of).collect()
}

fn of(finalizer: &str) -> Vec<String> {
    let mut why = name::qualified_name(finalizer);
    if !finalizer.contains('/') && !STANDARD.contains(&finalizer) {
        let path = if finalizer.contains('.') {
            " including a path (/)"
        } else {
            ""
        };
        why.push(format!(
            "prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
        ));
    }
    why.into_iter()
        .map(|why| format!("metadata.finalizers: {finalizer:?}: {why}"))
        .collect()
}
