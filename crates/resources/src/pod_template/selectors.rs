//! What a new pod's `matchLabelKeys` become: expressions of the selector beside them, with the pod's own values.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::defaults::elements;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Fills the selectors of a new pod's affinity and spread.
pub(crate) fn merge_label_keys(pod: &mut Value) {
    let spec = pod.field("spec");
    if spec.field("affinity").is_null() && spec.field("topologySpreadConstraints").is_null() {
        return;
    }
    let labels = pod.at("/metadata/labels").clone();
    for kind in ["podAffinity", "podAntiAffinity"] {
        let path = format!("/spec/affinity/{kind}");
        for term in elements(pod, &format!("{path}/{PREFERRED}")) {
            if let Some(term) = term.get_mut("podAffinityTerm") {
                merge(term, &labels);
            }
        }
        for term in elements(pod, &format!("{path}/{REQUIRED}")) {
            merge(term, &labels);
        }
    }
    for constraint in elements(pod, "/spec/topologySpreadConstraints") {
        merge(constraint, &labels);
    }
}

fn merge(term: &mut Value, labels: &Value) {
    if term.field("labelSelector").is_null() {
        return;
    }
    let mut added = Vec::new();
    for (field, operator) in [("/matchLabelKeys", "In"), ("/mismatchLabelKeys", "NotIn")] {
        for key in term.items(field) {
            if let Some(value) = labels.field(key.as_str().unwrap_or_default()).as_str() {
                added.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    if added.is_empty() {
        return;
    }
    const EXPRESSIONS: &str = "/labelSelector/matchExpressions";
    if term.at(EXPRESSIONS).is_null() {
        term.set(EXPRESSIONS, Vec::<Value>::new());
    }
    if let Some(expressions) = term.pointer_mut(EXPRESSIONS).and_then(Value::as_array_mut) {
        expressions.append(&mut added);
    }
}
