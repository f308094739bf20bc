//! What an autoscaler does that was not told: keep 80 % of the CPU busy, and scale at upstream's pace.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

/// Defaults an autoscaler.
pub(super) fn default(autoscaler: &mut Value) {
    if !autoscaler.field("spec").is_object() {
        return;
    }
    if autoscaler.items("/spec/metrics").is_empty() {
        autoscaler.set(
            "/spec/metrics",
            json!([{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}}}]),
        );
    }
    if autoscaler.at("/spec/behavior").is_object() {
        rules(
            autoscaler,
            "/spec/behavior/scaleUp",
            &json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        );
        rules(
            autoscaler,
            "/spec/behavior/scaleDown",
            &json!({"selectPolicy": "Max", "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        );
    }
}

fn rules(autoscaler: &mut Value, pointer: &str, defaults: &Value) {
    if let (Some(rules), Some(defaults)) = (autoscaler.object_at(pointer), defaults.as_object()) {
        for (field, value) in defaults {
            rules.entry(field.clone()).or_insert_with(|| value.clone());
        }
    }
}
