//! What upstream's defaulting functions do to a service beyond the defaults that its schema carries.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::is_external;
use crate::pod_template::elements;

/// `ClientIP` affinity lasts three hours.
const AFFINITY_SECONDS: i64 = 10_800;

/// Defaults a service.
pub(super) fn default(service: &mut Value) {
    match service.text("/spec/sessionAffinity") {
        "None" => {
            service.take_at("/spec/sessionAffinityConfig");
        }
        "ClientIP" => {
            const SECONDS: &str = "/spec/sessionAffinityConfig/clientIP/timeoutSeconds";
            if service.at(SECONDS).is_null() {
                service.set(SECONDS, AFFINITY_SECONDS);
            }
        }
        _ => {}
    }
    for port in elements(service, "/spec/ports") {
        default_port(port);
    }
    let kind = service.text("/spec/type").to_owned();
    if is_external(service) && service.text("/spec/externalTrafficPolicy").is_empty() {
        service.set("/spec/externalTrafficPolicy", "Cluster");
    }
    let has_endpoints = matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer");
    if has_endpoints && service.at("/spec/internalTrafficPolicy").is_null() {
        service.set("/spec/internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        if service.at("/spec/allocateLoadBalancerNodePorts").is_null() {
            service.set("/spec/allocateLoadBalancerNodePorts", true);
        }
        for ingress in elements(service, "/status/loadBalancer/ingress") {
            if !ingress.text("/ip").is_empty() && ingress.field("ipMode").is_null() {
                ingress.set("/ipMode", "VIP");
            }
        }
    }
}

fn default_port(port: &mut Value) {
    if !port.is_object() {
        return;
    }
    let target = port.field("targetPort");
    if target.is_null() || target.as_i64() == Some(0) || target.as_str() == Some("") {
        let number = port.field("port").clone();
        port.set("/targetPort", number);
    }
}
