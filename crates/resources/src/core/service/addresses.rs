//! Addresses, families and allocated ports of a service: kept in step, carried over an update, dropped with the
//! type that needed them. Allocates nothing.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::{is_external, is_headless, needs_cluster_ip, needs_health_check, needs_node_port};
use crate::check::same;
use crate::pod_template::elements;

const CLUSTER_IP: &str = "/spec/clusterIP";
const CLUSTER_IPS: &str = "/spec/clusterIPs";

/// `clusterIP` fills `clusterIPs` when only it is given.
pub(super) fn sync_on_create(service: &mut Value) {
    let ip = service.text(CLUSTER_IP);
    if !ip.is_empty() && service.items(CLUSTER_IPS).is_empty() {
        let ips = json!([ip]);
        service.set(CLUSTER_IPS, ips);
    }
}

/// Who changes only one of `clusterIP` and `clusterIPs` means both.
pub(super) fn sync_on_update(new: &mut Value, old: &Value) {
    let same_ip = new.text(CLUSTER_IP) == old.text(CLUSTER_IP);
    let same_ips = same(new.at(CLUSTER_IPS), old.at(CLUSTER_IPS));
    if !same_ip && same_ips {
        match new.text(CLUSTER_IP).to_owned() {
            ip if ip.is_empty() => {
                new.take_at(CLUSTER_IPS);
            }
            ip => new.set(CLUSTER_IPS, json!([ip])),
        }
    } else if same_ip && !same_ips && new.items(CLUSTER_IPS).is_empty() {
        new.take_at(CLUSTER_IP);
    } else if same_ip && !same_ips && new.text(CLUSTER_IP).is_empty() {
        let first = new.at("/spec/clusterIPs/0").clone();
        new.set(CLUSTER_IP, first);
    }
}

/// A cluster without dual stack serves IPv4; a headless service without a selector may have both families.
pub(super) fn default_families(service: &mut Value) {
    const FAMILIES: &str = "/spec/ipFamilies";
    const POLICY: &str = "/spec/ipFamilyPolicy";
    if !needs_cluster_ip(service) {
        return;
    }
    let selectorless = service
        .at("/spec/selector")
        .as_object()
        .is_none_or(serde_json::Map::is_empty);
    if is_headless(service) && selectorless {
        if service.at(POLICY).is_null() {
            service.set(POLICY, "RequireDualStack");
        }
        if service.items(FAMILIES).is_empty() {
            service.set(FAMILIES, json!(["IPv4"]));
        }
        if service.text(POLICY) != "SingleStack"
            && let [only] = service.items(FAMILIES)
        {
            let other = if only.as_str() == Some("IPv4") {
                "IPv6"
            } else {
                "IPv4"
            };
            let both = json!([only, other]);
            service.set(FAMILIES, both);
        }
        return;
    }
    if service.at(POLICY).is_null() {
        service.set(POLICY, "SingleStack");
    }
    if service.items(FAMILIES).is_empty() {
        let is_v6 = service.text(CLUSTER_IP).contains(':');
        service.set(FAMILIES, json!([if is_v6 { "IPv6" } else { "IPv4" }]));
    }
}

/// An update that leaves out what was allocated keeps it.
pub(super) fn keep_allocated(new: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if new.text(CLUSTER_IP).is_empty() && !old.text(CLUSTER_IP).is_empty() {
            new.set(CLUSTER_IP, old.text(CLUSTER_IP));
        }
        if new.items(CLUSTER_IPS).is_empty()
            && new.text(CLUSTER_IP) == old.text(CLUSTER_IP)
            && !old.items(CLUSTER_IPS).is_empty()
        {
            new.set(CLUSTER_IPS, old.at(CLUSTER_IPS).clone());
        }
        for field in ["/spec/ipFamilies", "/spec/ipFamilyPolicy"] {
            if new.at(field).is_null() && !old.at(field).is_null() {
                new.set(field, old.at(field).clone());
            }
        }
    }
    if needs_node_port(old) && needs_node_port(new) {
        keep_node_ports(new, old);
    }
    const HEALTH: &str = "/spec/healthCheckNodePort";
    if needs_health_check(old)
        && needs_health_check(new)
        && new.int(HEALTH).unwrap_or_default() == 0
        && !old.at(HEALTH).is_null()
    {
        new.set(HEALTH, old.at(HEALTH).clone());
    }
}

fn node_port(port: &Value) -> i64 {
    port.int("/nodePort").unwrap_or_default()
}

/// By the port's name, unless another port took the number.
fn keep_node_ports(new: &mut Value, old: &Value) {
    let taken: HashSet<i64> = new.items("/spec/ports").iter().map(node_port).collect();
    let mut free: HashMap<&str, i64> = old
        .items("/spec/ports")
        .iter()
        .filter(|port| !taken.contains(&node_port(port)))
        .map(|port| (port.text("/name"), node_port(port)))
        .collect();
    for port in elements(new, "/spec/ports") {
        if node_port(port) == 0
            && let Some(number) = free.remove(port.text("/name")).filter(|number| *number != 0)
        {
            port.set("/nodePort", number);
        }
    }
}

/// Fields that only the old type knows go with it, unless the client changed them.
pub(super) fn drop_fields_of_the_old_type(new: &mut Value, old: &Value) {
    let lost = |needs: fn(&Value) -> bool, new: &Value| needs(old) && !needs(new);
    let drop_unchanged = |new: &mut Value, fields: &[&str]| {
        if fields.iter().all(|field| same(new.at(field), old.at(field))) {
            for field in fields {
                new.take_at(field);
            }
        }
    };
    if lost(needs_cluster_ip, new) {
        drop_unchanged(new, &[CLUSTER_IP, CLUSTER_IPS]);
        drop_unchanged(new, &["/spec/ipFamilies"]);
        drop_unchanged(new, &["/spec/ipFamilyPolicy"]);
    }
    if lost(needs_node_port, new) {
        let ports =
            |service: &Value| -> Vec<i64> { service.items("/spec/ports").iter().map(node_port).collect() };
        if ports(new) == ports(old) {
            for port in elements(new, "/spec/ports") {
                port.take_at("/nodePort");
            }
        }
    }
    if lost(needs_health_check, new) {
        drop_unchanged(new, &["/spec/healthCheckNodePort"]);
    }
    let is_balanced = |service: &Value| service.text("/spec/type") == "LoadBalancer";
    if lost(is_balanced, new) {
        drop_unchanged(new, &["/spec/allocateLoadBalancerNodePorts"]);
        drop_unchanged(new, &["/spec/loadBalancerClass"]);
    }
    if lost(is_external, new) {
        drop_unchanged(new, &["/spec/externalTrafficPolicy"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_without_allocated_values_keeps_them() {
        let old = json!({"spec": {"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ports": [{"name": "a", "port": 80, "nodePort": 30000}]}});
        let mut new = json!({"spec": {"type": "NodePort", "ports": [{"name": "a", "port": 81}, {"name": "b", "port": 82}]}});
        sync_on_update(&mut new, &json!({"spec": {}}));
        keep_allocated(&mut new, &old);
        assert_eq!(new.text("/spec/clusterIPs/0"), "10.0.0.1");
        assert_eq!(new.int("/spec/ports/0/nodePort"), Some(30000));
        assert_eq!(new.int("/spec/ports/1/nodePort"), None);
    }

    #[test]
    fn a_service_that_becomes_a_name_loses_its_address() {
        let old = json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}});
        let mut new = old.clone();
        new.set("/spec/type", "ExternalName");
        drop_fields_of_the_old_type(&mut new, &old);
        assert_eq!(new, json!({"spec": {"type": "ExternalName"}}));
    }

    #[test]
    fn changing_one_address_field_means_both() {
        let old = json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}});
        let mut new = json!({"spec": {"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.1"]}});
        sync_on_update(&mut new, &old);
        assert_eq!(new.at("/spec/clusterIPs"), &json!(["10.0.0.9"]));
    }
}
