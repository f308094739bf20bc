//! The `APIService`s of the groups that a cluster answers itself, with upstream's priorities.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

/// The label of `APIService`s that the API server makes: `onstart` for built-in groups, `true` for custom resources.
pub const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Group, version, `groupPriorityMinimum` and `versionPriority`.
const BUILTIN: [(&str, &str, i64, i64); 21] = [
    ("", "v1", 18000, 1),
    ("admissionregistration.k8s.io", "v1", 16700, 15),
    ("apiextensions.k8s.io", "v1", 16700, 15),
    ("apps", "v1", 17800, 15),
    ("authentication.k8s.io", "v1", 17700, 15),
    ("authorization.k8s.io", "v1", 17600, 15),
    ("autoscaling", "v1", 17500, 15),
    ("autoscaling", "v2", 17500, 30),
    ("batch", "v1", 17400, 15),
    ("certificates.k8s.io", "v1", 17300, 15),
    ("coordination.k8s.io", "v1", 16500, 15),
    ("discovery.k8s.io", "v1", 16200, 15),
    ("events.k8s.io", "v1", 17750, 15),
    ("flowcontrol.apiserver.k8s.io", "v1", 16100, 21),
    ("networking.k8s.io", "v1", 17200, 15),
    ("node.k8s.io", "v1", 16300, 15),
    ("policy", "v1", 17100, 15),
    ("rbac.authorization.k8s.io", "v1", 17000, 15),
    ("resource.k8s.io", "v1", 16200, 21),
    ("scheduling.k8s.io", "v1", 16600, 15),
    ("storage.k8s.io", "v1", 16800, 15),
];

/// Those of the built-in groups.
pub(super) fn api_services() -> impl Iterator<Item = Value> {
    BUILTIN
        .into_iter()
        .map(|(group, version, group_priority, version_priority)| {
            let mut service = api_service(group, version, group_priority, version_priority);
            service.set("/metadata/labels", json!({AUTOMANAGED: "onstart"}));
            let conditions = [local()];
            service.set("/status", json!({"conditions": conditions}));
            service
        })
}

/// That of a group and version of custom resources.
pub fn api_service_of_custom(group: &str, version: &str) -> Value {
    let mut service = api_service(group, version, 1000, 100);
    service.set("/metadata/labels", json!({AUTOMANAGED: "true"}));
    service
}

/// What is said of a group that the cluster answers itself.
pub fn local() -> Value {
    json!({"type": "Available", "status": "True", "reason": "Local",
        "message": "Local APIServices are always available"})
}

fn api_service(group: &str, version: &str, group_priority: i64, version_priority: i64) -> Value {
    let mut service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": format!("{version}.{group}")},
        "spec": {"version": version, "groupPriorityMinimum": group_priority, "versionPriority": version_priority}});
    if !group.is_empty() {
        service.set("/spec/group", group);
    }
    service
}
