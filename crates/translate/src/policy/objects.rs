//! What host objects of every kind must be: the tenant's, where the tenant's are, reaching for nothing of others.

use serde_json::Value;
use warren_apimachinery::Resource;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;

use super::{Limits, Standard};
use crate::label::MANAGED_BY;
use crate::side::{Host, Virtual};
use crate::tenant::Tenant;

/// The places of selectors that decide what an object works on, by kind.
const SELECTORS: &[(&str, &str)] = &[
    ("services", "spec.selector"),
    ("networkpolicies", "spec.podSelector.matchLabels"),
    ("poddisruptionbudgets", "spec.selector.matchLabels"),
];
/// The fields that name another namespace, by kind.
const NAMESPACES: &[(&str, &str)] = &[
    ("persistentvolumes", "spec.claimRef.namespace"),
    ("persistentvolumeclaims", "spec.dataSourceRef.namespace"),
    ("volumesnapshotcontents", "spec.volumeSnapshotRef.namespace"),
];

pub(super) fn forbidden(
    tenant: &Tenant,
    limits: &Limits,
    resource: &Resource,
    object: &Value,
) -> Vec<String> {
    let mut found = Vec::new();
    let namespace = object.text("/metadata/namespace");
    let of = Virtual(object.at("/metadata/labels").text("/warren.dev~1namespace"));
    let is_shared = of.0.is_empty() && tenant.lives_in(Host(namespace));
    let is_own =
        is_shared || namespace == tenant.host_namespace().0 || namespace == tenant.host_namespace_of(of).0;
    if resource.scope == Scope::Namespaced && !is_own {
        found.push("metadata.namespace".to_owned());
    }
    if object.at("/metadata/labels").field(MANAGED_BY) != tenant.cluster() {
        found.push(format!("metadata.labels[{MANAGED_BY}]"));
    }
    for (_, path) in SELECTORS.iter().filter(|(plural, _)| *plural == resource.plural) {
        // A Service without a selector has its endpoints from the tenant.
        let selector = object.at(&pointer(path));
        let none =
            resource.plural == "services" && selector.as_object().is_none_or(serde_json::Map::is_empty);
        if !none && selector.field(MANAGED_BY) != tenant.cluster() {
            found.push((*path).to_owned());
        }
    }
    for (_, path) in NAMESPACES.iter().filter(|(plural, _)| *plural == resource.plural) {
        let named = object.text(&pointer(path));
        if !named.is_empty() && !tenant.lives_in(Host(named)) {
            found.push((*path).to_owned());
        }
    }
    match resource.plural {
        "persistentvolumes" if limits.standard != Standard::Privileged => {
            let of_node = ["hostPath", "local"].into_iter();
            let of_node = of_node.filter(|source| !object.at("/spec").field(source).is_null());
            found.extend(of_node.map(|source| format!("spec.{source}")));
        }
        "priorityclasses" => {
            if object.int("/value").unwrap_or_default() > i64::from(limits.max_priority) {
                found.push("value".to_owned());
            }
            if object.at("/globalDefault") == true {
                found.push("globalDefault".to_owned());
            }
        }
        _ => found.extend(foreign_hosts(limits, resource, object)),
    }
    found
}

/// Host names that are not the tenant's to claim.
fn foreign_hosts(limits: &Limits, resource: &Resource, object: &Value) -> Vec<String> {
    let Some(allowed) = &limits.hosts else {
        return Vec::new();
    };
    let texts = |list: &str, field: &str| -> Vec<String> {
        let entries = object.items(list).iter();
        entries.map(|entry| entry.text(field).to_owned()).collect()
    };
    let listed = |list: &str| -> Vec<String> {
        let entries = object.items(list).iter().filter_map(Value::as_str);
        entries.map(str::to_owned).collect()
    };
    let (path, mut claimed) = match resource.plural {
        "ingresses" => ("spec.rules.host", texts("/spec/rules", "/host")),
        "httproutes" | "tlsroutes" | "grpcroutes" => {
            let names = listed("/spec/hostnames");
            (
                "spec.hostnames",
                if names.is_empty() {
                    vec![String::new()]
                } else {
                    names
                },
            )
        }
        "gateways" => ("spec.listeners.hostname", texts("/spec/listeners", "/hostname")),
        _ => return Vec::new(),
    };
    if resource.plural == "ingresses" {
        for tls in object.items("/spec/tls") {
            claimed.extend(
                tls.items("/hosts")
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
        }
        if !object.at("/spec/defaultBackend").is_null() {
            claimed.push(String::new());
        }
    }
    let foreign = claimed.into_iter().filter(|host| !may_claim(allowed, host));
    foreign.map(|host| format!("{path}[{host}]")).collect()
}

/// No name claims all of them.
fn may_claim(allowed: &[String], host: &str) -> bool {
    allowed.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => pattern == host,
    })
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::resource;

    use super::*;

    #[track_caller]
    fn check(resource: &Resource, change: Value, expect: &[&str]) {
        let limits = Limits {
            hosts: Some(vec!["*.shop.example.com".to_owned()]),
            ..Limits::default()
        };
        let mut object = json!({"metadata": {"labels": {"warren.dev/managed-by": "demo"}}});
        if resource.scope == Scope::Namespaced {
            object.set("/metadata/namespace", "team-a");
        }
        for (path, value) in change.as_object().unwrap() {
            object.set(path, value.clone());
        }
        assert_eq!(
            forbidden(&Tenant::new("demo", "team-a"), &limits, resource, &object),
            expect,
            "{change}"
        );
    }

    #[test]
    fn an_object_lives_where_the_tenants_do_and_says_whose_it_is() {
        check(&resource::SECRETS, json!({}), &[]);
        check(
            &resource::SECRETS,
            json!({"/metadata/namespace": "kube-system"}),
            &["metadata.namespace"],
        );
        check(
            &resource::SECRETS,
            json!({"/metadata/labels": {"warren.dev/managed-by": "other"}}),
            &["metadata.labels[warren.dev/managed-by]"],
        );
    }

    #[test]
    fn nothing_works_on_what_is_anothers() {
        check(
            &resource::SERVICES,
            json!({"/spec/selector": {"app": "x"}}),
            &["spec.selector"],
        );
        check(&resource::SERVICES, json!({"/spec/ports": []}), &[]);
        check(
            &resource::NETWORK_POLICIES,
            json!({"/spec/podSelector": {}}),
            &["spec.podSelector.matchLabels"],
        );
        check(
            &resource::POD_DISRUPTION_BUDGETS,
            json!({"/spec/selector": {"matchLabels": {"warren.dev/managed-by": "demo"}}}),
            &[],
        );
        check(
            &resource::PERSISTENT_VOLUMES,
            json!({"/spec/claimRef": {"namespace": "other"}, "/spec/hostPath": {"path": "/"}}),
            &["spec.claimRef.namespace", "spec.hostPath"],
        );
        check(
            &resource::PRIORITY_CLASSES,
            json!({"/value": 2_000_000_000, "/globalDefault": true}),
            &["value", "globalDefault"],
        );
    }

    #[test]
    fn only_allowed_host_names_are_claimed() {
        let rules = |hosts: &[&str]| json!({"/spec/rules": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>()});
        check(&resource::INGRESSES, rules(&["a.shop.example.com"]), &[]);
        check(
            &resource::INGRESSES,
            rules(&["shop.example.com", "", "x.example.com"]),
            &[
                "spec.rules.host[shop.example.com]",
                "spec.rules.host[]",
                "spec.rules.host[x.example.com]",
            ],
        );
    }
}
