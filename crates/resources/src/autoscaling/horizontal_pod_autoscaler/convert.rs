//! v1 knows one number, the CPU's utilisation. What it can not hold stands in annotations, as upstream keeps it,
//! so that a v1 client that reads and writes back loses nothing.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::old_metrics::{from_old, to_old};
use crate::check::same;
use crate::go_literal::go_literal;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const TARGET: &str = "/spec/targetCPUUtilizationPercentage";
const CURRENT: &str = "/status/currentCPUUtilizationPercentage";

/// From v1 to v2.
pub(super) fn to_v2(object: &mut Value) {
    let mut metrics: Vec<Value> = take_list(object, METRICS).iter().map(from_old).collect();
    if let Some(target) = object.take_at(TARGET).filter(Value::is_number) {
        metrics.push(json!({"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": target}}}));
    }
    put_list(object, "/spec/metrics", metrics);
    let behavior = take_annotation(object, BEHAVIOR).map(in_json);
    if let Some(behavior) = behavior.filter(|behavior| !same(behavior, &Value::Null)) {
        object.set("/spec/behavior", behavior);
    }
    let mut current: Vec<Value> = take_list(object, CURRENT_METRICS).iter().map(from_old).collect();
    if let Some(utilization) = object.take_at(CURRENT).filter(Value::is_number) {
        current.push(json!({"type": "Resource", "resource": {"name": "cpu",
            "current": {"averageUtilization": utilization}}}));
    }
    put_list(object, "/status/currentMetrics", current);
    let conditions = take_list(object, CONDITIONS);
    put_list(object, "/status/conditions", conditions);
    if object
        .at("/metadata/annotations")
        .as_object()
        .is_some_and(serde_json::Map::is_empty)
    {
        object.take_at("/metadata/annotations");
    }
}

/// From v2 to v1.
pub(super) fn to_v1(object: &mut Value) {
    let (target, others) = split(
        object.take_at("/spec/metrics"),
        "/resource/target/averageUtilization",
    );
    if let Some(target) = target {
        object.set(TARGET, target);
    }
    annotate(object, METRICS, others);
    if let Some(behavior) = object.take_at("/spec/behavior").filter(|value| !value.is_null()) {
        let text = go_literal("HorizontalPodAutoscalerBehavior", &behavior);
        note(object, BEHAVIOR, text);
    }
    let (current, others) = split(
        object.take_at("/status/currentMetrics"),
        "/resource/current/averageUtilization",
    );
    if let Some(current) = current {
        object.set(CURRENT, current);
    }
    annotate(object, CURRENT_METRICS, others);
    let conditions = object.take_at("/status/conditions");
    annotate(
        object,
        CONDITIONS,
        conditions
            .filter(|list| list.as_array().is_some_and(|list| !list.is_empty()))
            .map(|list| list.to_string()),
    );
}

/// The CPU's utilisation, and the other metrics.
fn split(metrics: Option<Value>, pointer: &str) -> (Option<Value>, Option<String>) {
    let mut others = metrics
        .and_then(|metrics| metrics.as_array().cloned())
        .unwrap_or_default();
    let cpu = others
        .iter()
        .position(|metric| metric.text("/resource/name") == "cpu" && metric.at(pointer).is_number())
        .map(|at| others.remove(at).at(pointer).clone());
    let others = (!others.is_empty()).then(|| to_old(&others));
    (cpu, others)
}

fn annotate(object: &mut Value, key: &str, text: Option<String>) {
    if let Some(text) = text {
        note(object, key, text);
    }
}

fn note(object: &mut Value, key: &str, text: String) {
    if let Some(annotations) = object.object_at("/metadata/annotations") {
        annotations.insert(key.to_owned(), text.into());
    }
}

/// What upstream wrote by the names of Go's fields, by JSON's; what is not there is left out.
fn in_json(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let given = map.into_iter().filter(|(_, value)| !value.is_null());
            let named = given.map(|(key, value)| (lowered(&key), in_json(value)));
            Value::Object(named.collect())
        }
        Value::Array(items) => items.into_iter().map(in_json).collect(),
        other => other,
    }
}

fn lowered(key: &str) -> String {
    let mut letters = key.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// What an annotation holds; it goes in any case.
fn take_annotation(object: &mut Value, key: &str) -> Option<Value> {
    let annotations = object.pointer_mut("/metadata/annotations")?.as_object_mut()?;
    let text = annotations.remove(key)?;
    serde_json::from_str(text.as_str()?).ok()
}

fn take_list(object: &mut Value, key: &str) -> Vec<Value> {
    match take_annotation(object, key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn put_list(object: &mut Value, pointer: &str, list: Vec<Value>) {
    if !list.is_empty() {
        object.set(pointer, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_v1_can_not_hold_survives_it() {
        let kept = json!({"metadata": {"name": "a"},
            "spec": {"maxReplicas": 3, "behavior": {"scaleUp": {"selectPolicy": "Min", "policies": [], "stabilizationWindowSeconds": 0}}, "metrics": [
                {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
                ]},
            "status": {"desiredReplicas": 1, "conditions": [{"type": "AbleToScale"}], "currentMetrics": [
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}]}});
        let mut shown = kept.clone();
        to_v1(&mut shown);
        assert_eq!(shown.int(TARGET), Some(50));
        assert_eq!(shown.int(CURRENT), Some(7));
        assert!(shown.at("/spec/metrics").is_null());
        to_v2(&mut shown);
        assert_eq!(shown, kept);
    }
}
