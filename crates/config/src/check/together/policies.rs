//! `policies`.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::name;
use warren_apimachinery::quantity::Quantity;

use super::Tell;
use crate::Policies;

pub(super) fn check(policies: &Policies, tell: &mut Tell<'_>) {
    let range = &policies.limit_range;
    for (field, amounts) in [
        ("resourceQuota.quota", &policies.resource_quota.quota),
        ("limitRange.default", &range.default),
        ("limitRange.defaultRequest", &range.default_request),
        ("limitRange.min", &range.min),
        ("limitRange.max", &range.max),
    ] {
        quantities(&format!("policies.{field}"), amounts, tell);
    }
    for (index, host) in policies.ingresses.allowed_hosts.iter().flatten().enumerate() {
        let wrong = match host.strip_prefix("*.") {
            Some(_) => name::wildcard_dns1123_subdomain(host),
            None => name::dns1123_subdomain(host),
        };
        if let Some(why) = wrong.into_iter().next() {
            tell(&format!("policies.ingresses.allowedHosts[{index}]"), why);
        }
    }
}

fn quantities(path: &str, amounts: &BTreeMap<String, Value>, tell: &mut Tell<'_>) {
    for (resource, amount) in amounts {
        if Quantity::from_json(amount).is_err() {
            tell(
                &format!("{path}[\"{resource}\"]"),
                format!("{amount} is no quantity"),
            );
        }
    }
}
