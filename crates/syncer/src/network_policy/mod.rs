//! Network policies: the same pods on the host, and never more than the tenant's own.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{LabelSelector, Meta, ObjectKey, resource};
use warren_translate::{Tenant, Virtual};

use crate::mirrored::{Carry, Row, Setting};
use crate::pod::references::elements;

/// The kind.
pub(crate) const ROW: Row = Row {
    shape: |sides, value, host| {
        let namespace = value.text("/metadata/namespace");
        let mut spec = host_spec(&sides.binding.tenant, namespace, value.at("/spec"));
        if let Some(address) = &sides.binding.dns {
            let key = ObjectKey::cluster(DNS_NAMESPACE);
            let there = sides.virtual_cluster.get(&resource::NAMESPACES, &key);
            let labels = there
                .map(|namespace| namespace.meta().clone())
                .unwrap_or_default();
            let served = Served {
                address,
                labels: &labels,
                namespace,
            };
            reach_dns(value.at("/spec"), &served, &mut spec);
        }
        host.set("/spec", spec);
        Carry::Yes
    },
    ..Row::new("sync-network-policies", resource::NETWORK_POLICIES, |spec| {
        Setting::of(&spec.sync.to_host.network_policies)
    })
};

fn host_spec(tenant: &Tenant, namespace: &str, spec: &Value) -> Value {
    let mut host = spec.clone();
    let own = spec.at("/podSelector");
    let own = if own.is_null() { &json!({}) } else { own };
    host.set(
        "/podSelector",
        tenant.host_selector(own, Some(Virtual(namespace))),
    );
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in elements(&mut host, rules) {
            for peer in elements(rule, peers) {
                translate_peer(tenant, namespace, peer);
            }
        }
    }
    host
}

/// On the host the labels of pods say which namespace of the tenant they are of, so a peer is always a selector of pods.
fn translate_peer(tenant: &Tenant, namespace: &str, peer: &mut Value) {
    if !peer.at("/ipBlock").is_null() {
        return;
    }
    let pods = peer.take_at("/podSelector").unwrap_or_else(|| json!({}));
    let namespaces = peer.take_at("/namespaceSelector").unwrap_or_default();
    let mut selector = match namespaces {
        Value::Null => tenant.host_selector(&pods, Some(Virtual(namespace))),
        _ => tenant.host_selector(&pods, None),
    };
    let of_namespaces = tenant.host_namespace_selector(&namespaces);
    for (key, value) in of_namespaces
        .field("matchLabels")
        .as_object()
        .into_iter()
        .flatten()
    {
        if let Some(labels) = selector.object_at("/matchLabels") {
            labels.insert(key.clone(), value.clone());
        }
    }
    if !of_namespaces.items("/matchExpressions").is_empty() {
        let mut all = selector.items("/matchExpressions").to_vec();
        all.extend_from_slice(of_namespaces.items("/matchExpressions"));
        selector.set("/matchExpressions", all);
    }
    peer.set("/podSelector", selector);
    if tenant.has_namespaces() {
        // The labels say which pods; these are in more than the policy's namespace.
        peer.set("/namespaceSelector", json!({}));
    }
}

/// Where tenants' policies look for name servers: pods of this namespace with these labels.
const DNS_NAMESPACE: &str = "kube-system";
const DNS_LABELS: [(&str, &str); 1] = [("k8s-app", "kube-dns")];

/// Who answers for names.
struct Served<'a> {
    address: &'a str,
    /// The labels of the namespace that tenants look for name servers in.
    labels: &'a Meta,
    /// The policy's own namespace.
    namespace: &'a str,
}

/// The virtual cluster's name server is no pod of its own, so a peer that would have selected one lets its address
/// through.
fn reach_dns(spec: &Value, served: &Served<'_>, host: &mut Value) {
    let bits = if served.address.contains(':') { 128 } else { 32 };
    let block = json!({"ipBlock": {"cidr": format!("{}/{bits}", served.address)}});
    let rules = spec.items("/egress").iter().zip(elements(host, "egress"));
    for (rule, host) in rules {
        let selected = rule.items("/to").iter().any(|peer| selects_dns(peer, served));
        if let Some(peers) = host
            .get_mut("to")
            .and_then(Value::as_array_mut)
            .filter(|_| selected)
        {
            peers.push(block.clone());
        }
    }
}

fn selects_dns(peer: &Value, served: &Served<'_>) -> bool {
    if !peer.at("/ipBlock").is_null() {
        return false;
    }
    let labels = DNS_LABELS.map(|(key, value)| (key.into(), value.into()));
    let pod = Meta {
        labels: Box::new(labels),
        ..Meta::default()
    };
    let selects = |selector: &Value, meta: &Meta| {
        selector.is_null() || LabelSelector::from_json(selector).is_ok_and(|selector| selector.matches(meta))
    };
    let of_namespace = match peer.at("/namespaceSelector") {
        Value::Null => served.namespace == DNS_NAMESPACE,
        selector => selects(selector, served.labels),
    };
    of_namespace && selects(peer.at("/podSelector"), &pod)
}

#[cfg(test)]
mod tests {
    use warren_translate::namespace_label;

    use super::*;

    #[track_caller]
    fn check(peer: Value, expect: Value) {
        let tenant = Tenant::new("demo", "team-a");
        let host = host_spec(
            &tenant,
            "shop",
            &json!({"podSelector": {}, "ingress": [{"from": [peer]}]}),
        );
        assert_eq!(host.at("/ingress/0/from/0"), &expect);
        let bound = json!({"matchLabels": {"warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"}});
        assert_eq!(host.at("/podSelector"), &bound);
    }

    #[test]
    fn a_peer_is_never_more_than_the_tenants_own_pods() {
        check(
            json!({"podSelector": {"matchLabels": {"app": "web"}}}),
            json!({"podSelector": {"matchLabels": {
                "app": "web", "warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"}}}),
        );
        check(
            json!({"namespaceSelector": {}}),
            json!({"podSelector": {"matchLabels": {"warren.dev/managed-by": "demo"}}}),
        );
        let team = namespace_label("team");
        check(
            json!({"podSelector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {"matchLabels": {"team": "blue"}}}),
            json!({"podSelector": {"matchLabels": {"app": "web", "warren.dev/managed-by": "demo", team: "blue"}}}),
        );
        check(
            json!({}),
            json!({"podSelector": {"matchLabels": {"warren.dev/managed-by": "demo", "warren.dev/namespace": "shop"}}}),
        );
        let block = json!({"ipBlock": {"cidr": "10.0.0.0/8"}});
        check(block.clone(), block);
    }

    #[test]
    fn a_peer_that_selects_name_servers_reaches_the_virtual_clusters() {
        let tenant = Tenant::new("demo", "team-a");
        let labels = Meta {
            labels: Box::new([("kubernetes.io/metadata.name".into(), "kube-system".into())]),
            ..Meta::default()
        };
        let served = Served {
            address: "10.96.0.53",
            labels: &labels,
            namespace: "shop",
        };
        let of_system = json!({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}});
        let dns = json!({"matchLabels": {"k8s-app": "kube-dns"}});
        let cases = [
            (json!({"namespaceSelector": of_system, "podSelector": dns}), true),
            (json!({"namespaceSelector": {}}), true),
            (json!({"podSelector": dns}), false),
            (
                json!({"namespaceSelector": {"matchLabels": {"team": "blue"}}}),
                false,
            ),
            (json!({"ipBlock": {"cidr": "10.0.0.0/8"}}), false),
        ];
        for (peer, reaches) in cases {
            let spec = json!({"podSelector": {}, "egress": [{"to": [peer]}]});
            let mut host = host_spec(&tenant, "shop", &spec);
            reach_dns(&spec, &served, &mut host);
            let last = host.items("/egress/0/to").last().cloned().unwrap_or_default();
            assert_eq!(
                last == json!({"ipBlock": {"cidr": "10.96.0.53/32"}}),
                reaches,
                "{peer}"
            );
        }
    }
}
