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
    primary.into_iter().chain(all).filter(|ip| *ip != "None" && !ip.is_empty())
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

/// Upstream's `normalizeClusterIPs`: `clusterIP` is the first of `clusterIPs`, whichever of the two was given.
pub fn normalize_cluster_ips(new: &mut Value, old: Option<&Value>) {
    let primary = new.text("/spec/clusterIP").to_owned();
    let first = new.items("/spec/clusterIPs").first().and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(old) = old else {
        if first.is_empty() && !primary.is_empty() && new.items("/spec/clusterIPs").is_empty() {
            new.set("/spec/clusterIPs", json!([primary]));
        } else if primary.is_empty() && !first.is_empty() {
            new.set("/spec/clusterIP", first);
        }
        return;
    };
    let same_list = new.at("/spec/clusterIPs") == old.at("/spec/clusterIPs");
    let was = old.text("/spec/clusterIP");
    if primary.is_empty() && !was.is_empty() && same_list {
        new.take_at("/spec/clusterIPs");
    } else if primary != was && same_list && !primary.is_empty() {
        new.set("/spec/clusterIPs", json!([primary]));
    } else if primary == was && !same_list && !first.is_empty() {
        new.set("/spec/clusterIP", first);
    }
}

/// Upstream's `patchAllocatedValues` and `dropTypeDependentFields`: what the client left out of a replacement
/// stays, and what the new type has no use for goes if the client left it as it was.
pub fn keep_allocated(new: &mut Value, old: &Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if new.text("/spec/clusterIP").is_empty() && new.items("/spec/clusterIPs").is_empty() {
            copy(new, old, &["/spec/clusterIP", "/spec/clusterIPs"]);
        }
        copy(new, old, &["/spec/ipFamilies", "/spec/ipFamilyPolicy"]);
    }
    if needs_node_ports(old) && may_have_node_ports(new) {
        keep_node_ports(new, old);
    }
    if needs_health_check_port(old) && needs_health_check_port(new) {
        copy(new, old, &["/spec/healthCheckNodePort"]);
    }
    normalize_cluster_ips(new, Some(old));
    drop_type_dependent(new, old);
}

/// Copies what the new object has not.
fn copy(new: &mut Value, old: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let absent = match new.at(pointer) {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Number(number) => number.as_i64() == Some(0),
            _ => false,
        };
        if absent && !old.at(pointer).is_null() {
            new.set(pointer, old.at(pointer).clone());
        }
    }
}

fn keep_node_ports(new: &mut Value, old: &Value) {
    let mut used: Vec<i64> = node_ports(new).collect();
    let Some(Value::Array(ports)) = new.pointer_mut("/spec/ports") else {
        return;
    };
    for port in ports {
        if port.int("/nodePort").unwrap_or_default() != 0 {
            continue;
        }
        let was = old.items("/spec/ports").iter().find(|was| {
            was.field("port") == port.field("port") && was.text("/protocol") == port.text("/protocol")
        });
        let number = was.and_then(|was| was.int("/nodePort")).filter(|number| *number != 0);
        if let Some(number) = number.filter(|number| !used.contains(number)) {
            port.set("/nodePort", number);
            used.push(number);
        }
    }
}

fn drop_type_dependent(new: &mut Value, old: &Value) {
    const ADDRESSES: [&str; 4] = [
        "/spec/clusterIP",
        "/spec/clusterIPs",
        "/spec/ipFamilies",
        "/spec/ipFamilyPolicy",
    ];
    let same_ips = new.at("/spec/clusterIP") == old.at("/spec/clusterIP")
        && new.at("/spec/clusterIPs") == old.at("/spec/clusterIPs");
    if needs_cluster_ip(old) && !needs_cluster_ip(new) && same_ips {
        for pointer in ADDRESSES {
            new.take_at(pointer);
        }
    }
    if may_have_node_ports(old) && !may_have_node_ports(new) {
        drop_node_ports(new, old);
    }
    let same_check = new.at("/spec/healthCheckNodePort") == old.at("/spec/healthCheckNodePort");
    if needs_health_check_port(old) && !needs_health_check_port(new) && same_check {
        new.take_at("/spec/healthCheckNodePort");
    }
    let was_balanced = old.text("/spec/type") == "LoadBalancer";
    if was_balanced && new.text("/spec/type") != "LoadBalancer" {
        for pointer in ["/spec/allocateLoadBalancerNodePorts", "/spec/loadBalancerClass"] {
            if new.at(pointer) == old.at(pointer) {
                new.take_at(pointer);
            }
        }
    }
    let same_policy = new.at("/spec/externalTrafficPolicy") == old.at("/spec/externalTrafficPolicy");
    if may_have_node_ports(old)
        && !may_have_node_ports(new)
        && new.items("/spec/externalIPs").is_empty()
        && same_policy
    {
        new.take_at("/spec/externalTrafficPolicy");
    }
    let same_policy = new.at("/spec/internalTrafficPolicy") == old.at("/spec/internalTrafficPolicy");
    if needs_cluster_ip(old) && !needs_cluster_ip(new) && same_policy {
        new.take_at("/spec/internalTrafficPolicy");
    }
}

fn drop_node_ports(new: &mut Value, old: &Value) {
    let same = node_ports(new).filter(|port| !node_ports(old).any(|was| was == *port)).count() == 0;
    let Some(Value::Array(ports)) = new.pointer_mut("/spec/ports") else {
        return;
    };
    if same {
        for port in ports {
            port.take_at("/nodePort");
        }
    }
}
