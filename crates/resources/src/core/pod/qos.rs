//! The quality of service class that a pod's requests and limits earn.

use serde_json::Value;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

const COMPUTE: &[&str] = &["cpu", "memory"];

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    let pod = spec.field("resources");
    if !pod.field("requests").is_null() || !pod.field("limits").is_null() {
        return class_of(std::iter::once(pod));
    }
    class_of(
        spec.items("/containers")
            .iter()
            .chain(spec.items("/initContainers"))
            .map(|container| container.field("resources")),
    )
}

fn class_of<'a>(all: impl Iterator<Item = &'a Value>) -> &'static str {
    let (mut anything, mut guaranteed) = (false, true);
    for resources in all {
        for resource in COMPUTE {
            let amount = |list: &str| {
                Quantity::from_json(resources.field(list).field(resource)).unwrap_or(Quantity::ZERO)
            };
            let (request, limit) = (amount("requests"), amount("limits"));
            anything |= !request.is_zero() || !limit.is_zero();
            guaranteed &= !limit.is_zero() && (request == limit || request.is_zero());
        }
    }
    match (anything, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_follow_requests_and_limits() {
        let container = |requests: Value, limits: Value| json!({"containers": [{"resources": {"requests": requests, "limits": limits}}]});
        let cases = [
            (container(json!({}), json!({})), "BestEffort"),
            (container(json!({"cpu": "1"}), json!({})), "Burstable"),
            (
                container(
                    json!({"cpu": "1", "memory": "1Gi"}),
                    json!({"cpu": "1000m", "memory": "1Gi"}),
                ),
                "Guaranteed",
            ),
            (container(json!({"cpu": "1"}), json!({"cpu": "1"})), "Burstable"),
        ];
        for (spec, expected) in cases {
            assert_eq!(qos_class(&spec), expected, "{spec}");
        }
    }
}
