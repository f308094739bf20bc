//! What a service loses with the type that needed it.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_registry::reserve::service::{may_have_node_ports, port_node_ports};

use super::{is_external, needs_cluster_ip, needs_health_check};
use crate::check::same;
use crate::pod_template::elements;

const CLUSTER_IP: &str = "/spec/clusterIP";
const CLUSTER_IPS: &str = "/spec/clusterIPs";

/// Fields that only the old type knows go with it, unless the client changed them; so does what the load balancer said.
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
    let no_new_port =
        |new: &Value| port_node_ports(new).all(|port| port_node_ports(old).any(|was| was == port));
    if lost(may_have_node_ports, new) && no_new_port(new) {
        for port in elements(new, "/spec/ports") {
            port.take_at("/nodePort");
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
    if !is_balanced(new) {
        new.set("/status/loadBalancer", json!({}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_becomes_a_name_loses_its_address() {
        let old = json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}});
        let mut new = old.clone();
        new.set("/spec/type", "ExternalName");
        drop_fields_of_the_old_type(&mut new, &old);
        assert_eq!(
            new,
            json!({"spec": {"type": "ExternalName"}, "status": {"loadBalancer": {}}})
        );
    }
}
