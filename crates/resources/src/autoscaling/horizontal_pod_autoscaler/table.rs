//! An autoscaler's row in `kubectl get hpa`.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::table::{age, name};

/// How many metrics a row shows.
const SHOWN: usize = 2;

/// The cells, one per column.
pub(super) fn cells(autoscaler: &Value, now: Timestamp) -> Vec<Value> {
    let target = autoscaler.at("/spec/scaleTargetRef");
    let minimum = autoscaler
        .int("/spec/minReplicas")
        .map_or_else(|| "<unset>".to_owned(), |count| count.to_string());
    vec![
        name(autoscaler),
        format!("{}/{}", target.text("/kind"), target.text("/name")).into(),
        metrics(autoscaler).into(),
        minimum.into(),
        autoscaler.int("/spec/maxReplicas").unwrap_or_default().into(),
        autoscaler
            .int("/status/currentReplicas")
            .unwrap_or_default()
            .into(),
        age(autoscaler, now),
    ]
}

fn metrics(autoscaler: &Value) -> String {
    let current = autoscaler.items("/status/currentMetrics");
    let all: Vec<String> = autoscaler
        .items("/spec/metrics")
        .iter()
        .enumerate()
        .map(|(at, metric)| one(metric, current.get(at).unwrap_or(&Value::Null)))
        .collect();
    if all.is_empty() {
        return "<none>".to_owned();
    }
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        format!("{shown} + {} more...", all.len() - SHOWN)
    } else {
        shown
    }
}

fn one(metric: &Value, current: &Value) -> String {
    let source = match metric.text("/type") {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let (wanted, now) = (
        metric.field(source).field("target"),
        current.field(source).field("current"),
    );
    let has_average = !wanted.field("averageValue").is_null();
    let quantity = |value: &Value, field: &str| value.field(field).as_str().unwrap_or("<unknown>").to_owned();
    match source {
        "resource" | "containerResource" => {
            let name = metric.field(source).text("/name");
            let percent = |value: &Value, unset: &str| {
                value
                    .int("/averageUtilization")
                    .map_or_else(|| unset.to_owned(), |percent| format!("{percent}%"))
            };
            if has_average {
                let (now, wanted) = (quantity(now, "averageValue"), quantity(wanted, "averageValue"));
                format!("{name}: {now}/{wanted}")
            } else {
                format!(
                    "{name}: {}/{}",
                    percent(now, "<unknown>"),
                    percent(wanted, "<auto>")
                )
            }
        }
        "pods" => format!(
            "{}/{}",
            quantity(now, "averageValue"),
            quantity(wanted, "averageValue")
        ),
        _ if has_average => format!(
            "{}/{} (avg)",
            quantity(now, "averageValue"),
            quantity(wanted, "averageValue")
        ),
        _ => format!("{}/{}", quantity(now, "value"), quantity(wanted, "value")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics_read_as_upstream_prints_them() {
        let cpu =
            json!({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}});
        let pods = json!({"type": "Pods", "pods": {"target": {"averageValue": "10"}}});
        let external = json!({"type": "External", "external": {"target": {"averageValue": "5"}}});
        let autoscaler = json!({"spec": {"metrics": [cpu, pods, external]}, "status": {"currentMetrics": [
            {"resource": {"current": {"averageUtilization": 12}}}]}});
        assert_eq!(metrics(&autoscaler), "cpu: 12%/80%, <unknown>/10 + 1 more...");
        assert_eq!(one(&external, &Value::Null), "<unknown>/5 (avg)");
    }
}
