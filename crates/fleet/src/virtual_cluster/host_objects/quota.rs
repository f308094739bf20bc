//! `policies.resourceQuota` and `policies.limitRange` on the host namespace: both are called `vc-<name>`, as vCluster's.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use warren_apimachinery::{Status, resource};
use warren_config::VirtualClusterSpec;

use super::{Kept, Place};

/// Keeps both, or sees to it that they are gone. Answers the kinds whose name is taken by somebody else.
pub(crate) async fn quota(place: &Place<'_>) -> Result<Vec<String>, Status> {
    let spec = &place.wanted.spec;
    let policies = &spec.policies;
    let name = format!("vc-{}", place.wanted.key.name);
    let mut taken = Vec::new();
    let quota = &policies.resource_quota;
    if policies.wants_resource_quota() {
        let object = json!({"apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": place.metadata(&name, &quota.labels, &quota.annotations), "spec": quota_spec(spec)});
        if let Kept::Foreign = place.keep(&resource::RESOURCE_QUOTAS, object, &["/spec"]).await? {
            taken.push(format!("ResourceQuota {name}"));
        }
    } else {
        place.drop(&resource::RESOURCE_QUOTAS, &name).await?;
    }
    let range = &policies.limit_range;
    if policies.wants_limit_range() {
        let object = json!({"apiVersion": "v1", "kind": "LimitRange",
            "metadata": place.metadata(&name, &range.labels, &range.annotations), "spec": range_spec(spec)});
        if let Kept::Foreign = place.keep(&resource::LIMIT_RANGES, object, &["/spec"]).await? {
            taken.push(format!("LimitRange {name}"));
        }
    } else {
        place.drop(&resource::LIMIT_RANGES, &name).await?;
    }
    Ok(taken)
}

fn quota_spec(spec: &VirtualClusterSpec) -> Value {
    let asked = &spec.policies.resource_quota;
    let mut quota = Map::new();
    let hard = quantities(&asked.quota);
    if !hard.is_empty() {
        quota.insert("hard".to_owned(), Value::Object(hard));
    }
    let expressions = asked
        .scope_selector
        .get("matchExpressions")
        .and_then(Value::as_array);
    if expressions.is_some_and(|expressions| !expressions.is_empty()) {
        quota.insert("scopeSelector".to_owned(), asked.scope_selector.clone());
    }
    if !asked.scopes.is_empty() {
        quota.insert("scopes".to_owned(), json!(asked.scopes));
    }
    Value::Object(quota)
}

fn range_spec(spec: &VirtualClusterSpec) -> Value {
    let asked = &spec.policies.limit_range;
    let mut limit = Map::new();
    limit.insert("type".to_owned(), json!("Container"));
    for (field, amounts) in [
        ("default", &asked.default),
        ("defaultRequest", &asked.default_request),
        ("min", &asked.min),
        ("max", &asked.max),
    ] {
        let amounts = quantities(amounts);
        if !amounts.is_empty() {
            limit.insert(field.to_owned(), Value::Object(amounts));
        }
    }
    json!({"limits": [limit]})
}

/// Amounts as the API gives them back, so that what is there compares equal; `null` takes a default away.
fn quantities(amounts: &BTreeMap<String, Value>) -> Map<String, Value> {
    let texts = amounts.iter().filter_map(|(name, amount)| {
        let text = match amount {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let canonical =
            warren_apimachinery::quantity::Quantity::parse(&text).map(|amount| amount.to_string());
        Some((name.clone(), Value::String(canonical.unwrap_or(text))))
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(value: Value) -> VirtualClusterSpec {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn amounts_are_laid_out_as_the_api_gives_them_back() {
        let spec = spec(json!({"policies": {"resourceQuota": {"enabled": true,
            "quota": {"count/pods": 5, "requests.cpu": "0.5", "count/secrets": null}, "scopes": ["NotTerminating"]}}}));
        let quota = quota_spec(&spec);
        assert_eq!(quota["hard"]["count/pods"], "5");
        assert_eq!(quota["hard"]["requests.cpu"], "500m");
        assert!(quota["hard"].get("count/secrets").is_none());
        assert_eq!(quota["scopes"], json!(["NotTerminating"]));
    }

    #[test]
    fn a_limit_range_is_about_containers() {
        let spec = spec(json!({"policies": {"limitRange": {"enabled": true, "max": {"cpu": "1000m"}}}}));
        assert_eq!(
            range_spec(&spec),
            json!({"limits": [{"type": "Container", "max": {"cpu": "1"},
                "default": {"cpu": "1", "ephemeral-storage": "8Gi", "memory": "512Mi"},
                "defaultRequest": {"cpu": "100m", "ephemeral-storage": "3Gi", "memory": "128Mi"}}]})
        );
    }
}
