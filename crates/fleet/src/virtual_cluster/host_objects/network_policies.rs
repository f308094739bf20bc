//! `policies.networkPolicy` on the host namespace: `vc-work-<name>` for the tenant's pods, and `vc-cp-<name>` for
//! Warren's own, where that runs in the same namespace (a fleet's is in another one, and guarded by who installs it).
//!
//! The rules are vCluster's chart's; its control plane is found there by the label `release`, ours by where it runs.

use std::net::IpAddr;

use serde_json::{Value, json};
use warren_apimachinery::{Status, resource};
use warren_config::VirtualClusterSpec;
use warren_translate::MANAGED_BY;

use super::{Kept, Place};

/// The label that Warren's own pods carry.
const OWN_LABEL: (&str, &str) = ("app.kubernetes.io/name", "warren");
/// Where a host's API answers: behind its Service, and on its nodes.
const HOST_API_PORTS: [u16; 3] = [443, 8443, 6443];
const DNS_PORT: u16 = 53;

/// Where Warren is, as pods of the host see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whereabouts {
    /// The namespace of its pod; `None` where it runs outside the host.
    pub(crate) home: Option<String>,
    /// Its address, where pods can reach it.
    pub(crate) address: Option<IpAddr>,
    /// The ports of this virtual cluster's API and DNS.
    pub(crate) ports: Vec<(u16, &'static str)>,
}

/// Keeps the policies, or sees to it that they are gone. Answers the names that are taken by somebody else.
pub(crate) async fn network_policies(place: &Place<'_>, warren: &Whereabouts) -> Result<Vec<String>, Status> {
    let spec = &place.wanted.spec;
    let (cluster, namespace) = (
        place.wanted.key.name.as_str(),
        place.wanted.key.namespace.as_str(),
    );
    let at_home = warren.home.as_deref() == Some(namespace);
    let enabled = spec.policies.network_policy.enabled;
    let mut taken = Vec::new();
    for (name, rules) in [
        (
            format!("vc-work-{cluster}"),
            enabled.then(|| workload(spec, cluster, warren)),
        ),
        (
            format!("vc-cp-{cluster}"),
            (enabled && at_home).then(|| control_plane(spec, cluster, warren)),
        ),
    ] {
        let Some(rules) = rules else {
            place.drop(&resource::NETWORK_POLICIES, &name).await?;
            continue;
        };
        let asked = &spec.policies.network_policy;
        let object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": place.metadata(&name, &asked.labels, &asked.annotations), "spec": rules});
        if let Kept::Foreign = place
            .keep(&resource::NETWORK_POLICIES, object, &["/spec"])
            .await?
        {
            taken.push(format!("NetworkPolicy {name}"));
        }
    }
    Ok(taken)
}

/// What the tenant's pods may do: reach Warren, each other and the world but private addresses.
fn workload(spec: &VirtualClusterSpec, cluster: &str, warren: &Whereabouts) -> Value {
    let asked = &spec.policies.network_policy.workload;
    let mut egress = Vec::new();
    let peers = peers(warren);
    if !peers.is_empty() {
        egress.push(json!({"ports": ports(&warren.ports), "to": peers}));
    }
    egress.push(json!({"to": [pods(cluster)]}));
    if asked.public_egress.enabled {
        let mut block = json!({"cidr": asked.public_egress.cidr});
        if let (false, Some(block)) = (asked.public_egress.except.is_empty(), block.as_object_mut()) {
            block.insert("except".to_owned(), json!(asked.public_egress.except));
        }
        egress.push(json!({"to": [{"ipBlock": block}]}));
    }
    let mut ingress = Vec::new();
    if !peers.is_empty() {
        ingress.push(json!({"from": peers}));
    }
    ingress.push(json!({"from": [pods(cluster)]}));
    policy(
        json!({"matchLabels": {MANAGED_BY: cluster}}),
        with(egress, &json!(asked.egress)),
        with(ingress, &json!(asked.ingress)),
    )
}

/// What Warren's own pod may do: reach the host's API and DNS and the tenant's pods, and be reached as an API is.
fn control_plane(spec: &VirtualClusterSpec, cluster: &str, warren: &Whereabouts) -> Value {
    let asked = &spec.policies.network_policy.control_plane;
    let own = json!({"podSelector": own_selector()});
    let host_api = HOST_API_PORTS.map(|port| (port, "TCP"));
    let egress = vec![
        json!({"ports": ports(&[(DNS_PORT, "UDP"), (DNS_PORT, "TCP")]),
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}),
        json!({"ports": ports(&host_api)}),
        json!({"to": [own]}),
        json!({"to": [pods(cluster)]}),
    ];
    let api: Vec<(u16, &'static str)> = warren
        .ports
        .iter()
        .copied()
        .filter(|(_, name)| *name == "TCP")
        .collect();
    let ingress = vec![
        json!({"ports": ports(&api)}),
        json!({"from": [own]}),
        json!({"ports": ports(&warren.ports), "from": [pods(cluster)]}),
    ];
    policy(
        own_selector(),
        with(egress, &json!(asked.egress)),
        with(ingress, &json!(asked.ingress)),
    )
}

fn policy(selector: Value, egress: Vec<Value>, ingress: Vec<Value>) -> Value {
    json!({"podSelector": selector, "policyTypes": ["Egress", "Ingress"], "egress": egress, "ingress": ingress})
}

fn with(mut rules: Vec<Value>, more: &Value) -> Vec<Value> {
    rules.extend(more.as_array().cloned().unwrap_or_default());
    rules
}

/// The tenant's pods.
fn pods(cluster: &str) -> Value {
    json!({"podSelector": {"matchLabels": {MANAGED_BY: cluster}}})
}

fn own_selector() -> Value {
    json!({"matchLabels": {OWN_LABEL.0: OWN_LABEL.1}})
}

/// Warren, as the peer of a rule: by its pod, or by its address where it is none of the host's.
fn peers(warren: &Whereabouts) -> Vec<Value> {
    match (&warren.home, warren.address) {
        (Some(home), _) => vec![json!({
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
            "podSelector": own_selector()})],
        (None, Some(address)) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            vec![json!({"ipBlock": {"cidr": format!("{address}/{bits}")}})]
        }
        (None, None) => Vec::new(),
    }
}

fn ports(ports: &[(u16, &'static str)]) -> Vec<Value> {
    let each = ports.iter();
    each.map(|(port, protocol)| json!({"port": port, "protocol": protocol}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(value: Value) -> VirtualClusterSpec {
        serde_json::from_value(json!({"policies": {"networkPolicy": value}})).unwrap()
    }

    fn in_pod(home: &str) -> Whereabouts {
        Whereabouts {
            home: Some(home.to_owned()),
            address: None,
            ports: vec![(8443, "TCP"), (1053, "UDP")],
        }
    }

    #[test]
    fn pods_reach_warren_each_other_and_the_public_net() {
        let spec = spec(
            json!({"enabled": true, "workload": {"publicEgress": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]},
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}]}}),
        );
        insta::assert_json_snapshot!(workload(&spec, "demo", &in_pod("warren-system")));
    }

    #[test]
    fn warrens_pod_is_reached_as_an_api_is() {
        let spec = spec(
            json!({"enabled": true, "controlPlane": {"egress": [{"ports": [{"port": 5432, "protocol": "TCP"}]}]}}),
        );
        insta::assert_json_snapshot!(control_plane(&spec, "demo", &in_pod("team-a")));
    }

    #[test]
    fn a_process_outside_is_a_peer_by_its_address() {
        let outside = Whereabouts {
            address: Some(IpAddr::from([192, 0, 2, 7])),
            ..Whereabouts::default()
        };
        assert_eq!(peers(&outside), [json!({"ipBlock": {"cidr": "192.0.2.7/32"}})]);
        assert!(peers(&Whereabouts::default()).is_empty(), "nowhere to be reached");
    }
}
