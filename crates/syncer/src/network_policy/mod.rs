//! Network policies: the same pods on the host, and never more than the tenant's own.

use serde_json::{Value, json};
use warren_apimachinery::resource;
use warren_apimachinery::value::ValueExt;
use warren_translate::{Tenant, Virtual};

use crate::mirrored::{Carry, Row, Setting};
use crate::pod::references::elements;

/// The kind.
pub(crate) const ROW: Row = Row {
    shape: |sides, value, host| {
        let namespace = value.text("/metadata/namespace");
        host.set(
            "/spec",
            host_spec(&sides.binding.tenant, namespace, value.at("/spec")),
        );
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

/// On the host all namespaces of the tenant are one, so a peer is always a selector of pods.
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
}
