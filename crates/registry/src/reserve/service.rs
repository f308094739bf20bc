//! What a Service has and needs of addresses and ports: pure functions of the object.
//!
//! Who gives them is the business of the `Reserve` implementations.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

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
    service.text("/spec/clusterIP") == "None"
}

/// The cluster IPs that it has, `None` not among them.
pub fn cluster_ips(service: &Value) -> impl Iterator<Item = &str> {
    let primary = service.text("/spec/clusterIP");
    let all = service.items("/spec/clusterIPs").iter().filter_map(Value::as_str);
    let primary = (!primary.is_empty() && service.items("/spec/clusterIPs").is_empty()).then_some(primary);
    primary
        .into_iter()
        .chain(all)
        .filter(|ip| *ip != "None" && !ip.is_empty())
}

/// The node ports that it has, the health check's among them.
pub fn node_ports(service: &Value) -> impl Iterator<Item = i64> {
    service
        .items("/spec/ports")
        .iter()
        .filter_map(|port| port.int("/nodePort"))
        .chain(service.int("/spec/healthCheckNodePort"))
        .filter(|port| *port != 0)
}

/// `clusterIP` is the first of `clusterIPs`, whichever of the two was given.
pub fn normalize_cluster_ips(service: &mut Value) {
    let primary = service.text("/spec/clusterIP").to_owned();
    let first = service.text("/spec/clusterIPs/0").to_owned();
    if first.is_empty() && !primary.is_empty() {
        service.set("/spec/clusterIPs", json!([primary]));
    } else if primary.is_empty() && !first.is_empty() {
        service.set("/spec/clusterIP", first);
    }
}
