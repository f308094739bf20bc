//! What a Service has and needs of addresses and ports: pure functions of the object.
//!
//! Who gives them is the business of the `Reserve` implementations.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

pub use super::cluster_ips::validate as validate_cluster_ips;

const CLUSTER_IP: &str = "/spec/clusterIP";
const CLUSTER_IPS: &str = "/spec/clusterIPs";
const HEALTH_CHECK: &str = "/spec/healthCheckNodePort";

/// Whether the type of Service has cluster IPs (or declines them by `None`).
pub fn needs_cluster_ip(service: &Value) -> bool {
    service.text("/spec/type") != "ExternalName"
}

/// Whether its ports get node ports.
pub fn needs_node_ports(service: &Value) -> bool {
    match service.text("/spec/type") {
        "NodePort" => true,
        "LoadBalancer" => service.at("/spec/allocateLoadBalancerNodePorts") != &Value::Bool(false),
        _ => false,
    }
}

/// Whether its ports may have node ports.
pub fn may_have_node_ports(service: &Value) -> bool {
    matches!(service.text("/spec/type"), "NodePort" | "LoadBalancer")
}

/// Whether load balancers probe it at a port of its own.
pub fn needs_health_check_port(service: &Value) -> bool {
    service.text("/spec/type") == "LoadBalancer" && service.text("/spec/externalTrafficPolicy") == "Local"
}

/// Whether it declines a cluster IP.
pub fn is_headless(service: &Value) -> bool {
    matches!(service.items(CLUSTER_IPS), [only] if only.as_str() == Some("None"))
}

/// Whether it selects pods.
pub fn has_selector(service: &Value) -> bool {
    service
        .at("/spec/selector")
        .as_object()
        .is_some_and(|selector| !selector.is_empty())
}

/// The cluster IPs that it has, `None` not among them.
pub fn cluster_ips(service: &Value) -> impl Iterator<Item = &str> {
    let primary = service.text(CLUSTER_IP);
    let all = service.items(CLUSTER_IPS).iter().filter_map(Value::as_str);
    let primary = service.items(CLUSTER_IPS).is_empty().then_some(primary);
    primary
        .into_iter()
        .chain(all)
        .filter(|ip| *ip != "None" && !ip.is_empty())
}

/// The node ports of its ports.
pub fn port_node_ports(service: &Value) -> impl Iterator<Item = i64> {
    service
        .items("/spec/ports")
        .iter()
        .map(node_port)
        .filter(|port| *port != 0)
}

/// The node ports that it has, the health check's among them.
pub fn node_ports(service: &Value) -> impl Iterator<Item = i64> {
    let health = service.int(HEALTH_CHECK).filter(|port| *port != 0);
    port_node_ports(service).chain(health)
}

/// The addresses and ports that an allocation for `new` took, where `old` has others: what is to be freed when the
/// write fails.
pub(super) fn newly_taken<'a>(new: &'a Value, old: Option<&Value>) -> (Vec<&'a str>, Vec<i64>) {
    let mut ips: Vec<&str> = Vec::new();
    let families = |service: &Value| service.items("/spec/ipFamilies").len();
    match old {
        None => ips.extend(cluster_ips(new)),
        Some(old) if !needs_cluster_ip(old) => ips.extend(cluster_ips(new)),
        Some(old)
            if needs_cluster_ip(new) && !is_headless(old) && families(old) == 1 && families(new) == 2 =>
        {
            ips.extend(cluster_ips(new).nth(1));
        }
        Some(_) => {}
    }
    let had: HashSet<i64> = old.into_iter().flat_map(port_node_ports).collect();
    let mut ports: Vec<i64> = Vec::new();
    if may_have_node_ports(new) {
        ports.extend(port_node_ports(new).filter(|port| !had.contains(port)));
    }
    if needs_health_check_port(new) && !old.is_some_and(needs_health_check_port) {
        ports.extend(new.int(HEALTH_CHECK));
    }
    (ips, ports)
}

fn node_port(port: &Value) -> i64 {
    port.int("/nodePort").unwrap_or_default()
}

/// Brings what the client wrote into one shape, whichever of the linked fields it wrote, and keeps what was allocated
/// before where an update leaves it out.
pub fn normalize(new: &mut Value, old: Option<&Value>) {
    let Some(old) = old else {
        let ip = new.text(CLUSTER_IP);
        if !ip.is_empty() && new.items(CLUSTER_IPS).is_empty() {
            let ips = json!([ip]);
            new.set(CLUSTER_IPS, ips);
        }
        return;
    };
    keep_allocated(new, old);
    let is_same_ip = new.text(CLUSTER_IP) == old.text(CLUSTER_IP);
    if is_same_ip && new.items(CLUSTER_IPS).is_empty() && !old.items(CLUSTER_IPS).is_empty() {
        new.set(CLUSTER_IPS, old.at(CLUSTER_IPS).clone());
    } else if !is_same_ip && new.items(CLUSTER_IPS) == old.items(CLUSTER_IPS) {
        match new.text(CLUSTER_IP).to_owned() {
            ip if ip.is_empty() => {
                new.take_at(CLUSTER_IPS);
            }
            ip => new.set(CLUSTER_IPS, json!([ip])),
        }
    }
}

fn keep_allocated(new: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if new.text(CLUSTER_IP).is_empty() && !old.text(CLUSTER_IP).is_empty() {
            new.set(CLUSTER_IP, old.text(CLUSTER_IP));
        }
        if new.items(CLUSTER_IPS).is_empty() && !old.items(CLUSTER_IPS).is_empty() {
            new.set(CLUSTER_IPS, old.at(CLUSTER_IPS).clone());
        }
    }
    if needs_node_ports(old) && needs_node_ports(new) {
        keep_node_ports(new, old);
    }
    if needs_health_check_port(old)
        && needs_health_check_port(new)
        && new.int(HEALTH_CHECK).unwrap_or_default() == 0
        && !old.at(HEALTH_CHECK).is_null()
    {
        new.set(HEALTH_CHECK, old.at(HEALTH_CHECK).clone());
    }
}

/// By the port's name, unless the number is in use for another port.
fn keep_node_ports(new: &mut Value, old: &Value) {
    let used: HashSet<i64> = port_node_ports(new).collect();
    let before: HashMap<&str, i64> = old
        .items("/spec/ports")
        .iter()
        .map(|port| (port.text("/name"), node_port(port)))
        .collect();
    let Some(Value::Array(ports)) = new.pointer_mut("/spec/ports") else {
        return;
    };
    for port in ports.iter_mut().filter(|port| node_port(port) == 0) {
        let number = before.get(port.text("/name")).copied().unwrap_or_default();
        if number != 0 && !used.contains(&number) {
            port.set("/nodePort", number);
        }
    }
}

/// What a Service gets where its addresses come later, from somebody whose families are not known here: one family,
/// both for a headless Service without a selector, and on an update what it had.
pub fn default_families(new: &mut Value, old: Option<&Value>) {
    const FAMILIES: &str = "/spec/ipFamilies";
    const POLICY: &str = "/spec/ipFamilyPolicy";
    if !needs_cluster_ip(new) {
        return;
    }
    for field in [FAMILIES, POLICY] {
        let before = old
            .filter(|old| needs_cluster_ip(old))
            .map_or(&Value::Null, |old| old.at(field));
        if new.at(field).is_null() && !before.is_null() {
            new.set(field, before.clone());
        }
    }
    let without_selector = is_headless(new) && !has_selector(new);
    if new.at(POLICY).is_null() {
        let policy = if without_selector {
            "RequireDualStack"
        } else {
            "SingleStack"
        };
        new.set(POLICY, policy);
    }
    if new.items(FAMILIES).is_empty() {
        let is_v6 = new.text(CLUSTER_IP).contains(':');
        new.set(FAMILIES, json!([if is_v6 { "IPv6" } else { "IPv4" }]));
    }
    if let [only] = new.items(FAMILIES)
        && without_selector
        && new.text(POLICY) != "SingleStack"
    {
        let other = if only.as_str() == Some("IPv4") {
            "IPv6"
        } else {
            "IPv4"
        };
        let both = json!([only, other]);
        new.set(FAMILIES, both);
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
        normalize(&mut new, Some(&old));
        assert_eq!(new.text("/spec/clusterIPs/0"), "10.0.0.1");
        assert_eq!(new.int("/spec/ports/0/nodePort"), Some(30000));
        assert_eq!(new.int("/spec/ports/1/nodePort"), None);
    }

    #[test]
    fn changing_the_primary_address_means_the_list_too() {
        let old = json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}});
        let mut new = json!({"spec": {"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.1"]}});
        normalize(&mut new, Some(&old));
        assert_eq!(new.at(CLUSTER_IPS), &json!(["10.0.0.9"]));
    }

    #[test]
    fn a_failed_update_frees_only_what_it_took() {
        let old = json!({"spec": {"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ipFamilies": ["IPv4"], "ports": [{"nodePort": 30000}]}});
        let mut new = old.clone();
        new.set(CLUSTER_IPS, json!(["10.0.0.2"]));
        new.set("/spec/ports", json!([{"nodePort": 30000}, {"nodePort": 30001}]));
        assert_eq!(newly_taken(&new, Some(&old)), (vec![], vec![30001]));
        assert_eq!(newly_taken(&new, None), (vec!["10.0.0.2"], vec![30000, 30001]));
    }
}
