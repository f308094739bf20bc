//! Which pods a quota with scopes is about.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// Whether the quota is only about some pods.
pub(super) fn has_scopes(quota: &Value) -> bool {
    !quota.items("/spec/scopes").is_empty() || !quota.items("/spec/scopeSelector/matchExpressions").is_empty()
}

/// Whether the quota is about this pod.
pub(super) fn in_scope(quota: &Value, pod: &Value) -> bool {
    let by_name = quota.items("/spec/scopes").iter().filter_map(Value::as_str);
    by_name.into_iter().all(|scope| is_in(scope, pod))
        && quota
            .items("/spec/scopeSelector/matchExpressions")
            .iter()
            .all(|expression| {
                let scope = expression.text("/scopeName");
                let class = pod.text("/spec/priorityClassName");
                let listed = expression.items("/values").iter().any(|value| value == class);
                match (scope, expression.text("/operator")) {
                    ("PriorityClass", "In") => listed,
                    ("PriorityClass", "NotIn") => !listed,
                    ("PriorityClass", "DoesNotExist") => class.is_empty(),
                    ("PriorityClass", _) => !class.is_empty(),
                    (_, "DoesNotExist") => !is_in(scope, pod),
                    _ => is_in(scope, pod),
                }
            })
}

fn is_in(scope: &str, pod: &Value) -> bool {
    let ends = pod.int("/spec/activeDeadlineSeconds").is_some();
    let best_effort = || {
        let asks = |list: &str| {
            pod.items(list).iter().any(|container| {
                ["/resources/requests", "/resources/limits"]
                    .iter()
                    .any(|field| container.at(field).as_object().is_some_and(|map| !map.is_empty()))
            })
        };
        !asks("/spec/containers") && !asks("/spec/initContainers")
    };
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => !pod.text("/spec/priorityClassName").is_empty(),
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

fn crosses_namespaces(pod: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = pod.at("/spec/affinity").field(kind);
        let required = affinity
            .items("/requiredDuringSchedulingIgnoredDuringExecution")
            .iter();
        let preferred = affinity
            .items("/preferredDuringSchedulingIgnoredDuringExecution")
            .iter();
        required
            .chain(preferred.map(|term| term.at("/podAffinityTerm")))
            .any(|term| !term.items("/namespaces").is_empty() || !term.at("/namespaceSelector").is_null())
    })
}
