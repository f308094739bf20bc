//! Metrics of the host as a tenant reads them. Pure.

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::Object;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;
use warren_config::MetricsServer;
use warren_controllers::PodUsage;

use super::{GROUP, VERSION, time};

/// The host's `APIResourceList`, without what is not shown and what cannot be done here.
pub(super) fn resources(list: &Value, shown: MetricsServer) -> Value {
    let is_shown = |entry: &&Value| match entry.text("/name") {
        "nodes" => shown.nodes,
        "pods" => shown.pods,
        _ => false,
    };
    let entries = list.items("/resources").iter().filter(is_shown).map(|entry| {
        let mut entry = entry.clone();
        entry.set("/verbs", json!(["get", "list"]));
        entry
    });
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": entries.collect::<Vec<_>>()})
}

/// `NodeMetrics` of a node that the tenant sees.
pub(super) fn node(node: &Object, metrics: &Value) -> Value {
    let mut out = shaped("NodeMetrics", node, metrics);
    out.set("/usage", metrics.at("/usage").clone());
    out
}

/// `PodMetrics` of a tenant's pod: its own containers, not those that the host put beside them.
pub(super) fn pod(pod: &Object, metrics: &Value) -> Value {
    let spec = pod.to_value();
    let lists = [
        "/spec/containers",
        "/spec/initContainers",
        "/spec/ephemeralContainers",
    ];
    let own: Vec<&str> = lists
        .iter()
        .flat_map(|list| spec.items(list))
        .map(|container| container.text("/name"))
        .collect();
    let containers: Vec<&Value> = metrics
        .items("/containers")
        .iter()
        .filter(|container| own.contains(&container.text("/name")))
        .collect();
    let mut out = shaped("PodMetrics", pod, metrics);
    out.set("/containers", json!(containers));
    out
}

fn shaped(kind: &str, object: &Object, metrics: &Value) -> Value {
    let meta = object.meta();
    let mut metadata =
        json!({"name": meta.name, "creationTimestamp": metrics.at("/metadata/creationTimestamp")});
    if !meta.namespace.is_empty() {
        metadata.set("/namespace", meta.namespace.as_str());
    }
    if !meta.labels.is_empty() {
        let labels = meta
            .labels
            .iter()
            .map(|(key, value)| (key.to_string(), Value::from(value.as_str())));
        metadata.set("/labels", Value::Object(labels.collect()));
    }
    json!({"kind": kind, "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": metadata,
        "timestamp": metrics.at("/timestamp"), "window": metrics.at("/window")})
}

/// What an autoscaler is told of a pod.
pub(super) fn usage(name: &SmolStr, metrics: &Value) -> PodUsage {
    let containers = metrics.items("/containers").iter().map(|container| {
        let usage = container.at("/usage").as_object().into_iter().flatten();
        let quantities = usage.filter_map(|(resource, value)| {
            let quantity = Quantity::from_json(value).ok()?;
            Some((SmolStr::new(resource), quantity.milli_value()))
        });
        (SmolStr::new(container.text("/name")), quantities.collect())
    });
    PodUsage {
        pod: name.clone(),
        at: time(metrics, "timestamp"),
        window: metrics.text("/window").parse().unwrap_or_default(),
        containers: containers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Value {
        json!({"metadata": {"name": "web-x-shop-x-demo", "namespace": "team-a", "creationTimestamp": "t",
                "labels": {"warren.dev/managed-by": "demo"}},
            "timestamp": "2026-01-01T00:00:00Z", "window": "15s", "containers": [
                {"name": "app", "usage": {"cpu": "250m", "memory": "10Mi"}},
                {"name": "istio-proxy", "usage": {"cpu": "1", "memory": "1Gi"}}]})
    }

    #[test]
    fn a_pods_metrics_carry_its_own_names_and_containers() {
        let object = Object::from_value(&json!({"metadata": {"name": "web", "namespace": "shop",
            "labels": {"app": "web"}}, "spec": {"containers": [{"name": "app"}]}}));
        assert_eq!(
            pod(&object, &metrics()),
            json!({"kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
                "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "t", "labels": {"app": "web"}},
                "timestamp": "2026-01-01T00:00:00Z", "window": "15s",
                "containers": [{"name": "app", "usage": {"cpu": "250m", "memory": "10Mi"}}]})
        );
    }

    #[test]
    fn discovery_tells_what_is_shown_and_can_be_done() {
        let list = json!({"resources": [{"name": "nodes", "verbs": ["get", "list", "watch"]}, {"name": "pods"}, {"name": "x"}]});
        let shown = MetricsServer {
            enabled: true,
            nodes: true,
            pods: false,
        };
        assert_eq!(
            *resources(&list, shown).at("/resources"),
            json!([{"name": "nodes", "verbs": ["get", "list"]}])
        );
    }

    #[test]
    fn an_autoscaler_is_told_thousandths() {
        let told = usage(&"web".into(), &metrics());
        let (name, of_app) = &told.containers[0];
        assert_eq!(
            (name.as_str(), of_app["cpu"], of_app["memory"]),
            ("app", 250, 10 * 1024 * 1024 * 1000)
        );
    }
}
