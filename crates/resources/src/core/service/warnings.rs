//! What upstream warns about in a service that it nevertheless accepts.

use serde_json::Value;
use warren_apimachinery::address;
use warren_apimachinery::value::ValueExt;

use super::is_headless;
use super::validate::{TOPOLOGY_HINTS, TOPOLOGY_MODE};

/// What to warn about in `service`, in upstream's order.
pub(super) fn warnings(service: &Value) -> Vec<String> {
    let kind = service.text("/spec/type");
    let named = kind == "ExternalName";
    let headless = kind == "ClusterIP" && is_headless(service);
    let has_external_ips = !service.items("/spec/externalIPs").is_empty();
    let mut warnings = Vec::new();
    if !service
        .at("/metadata/annotations")
        .field(TOPOLOGY_HINTS)
        .is_null()
    {
        warnings.push(format!(
            "annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"
        ));
    }
    if !is_headless(service) {
        warnings.extend(spelling(service, "clusterIPs"));
    }
    let ignored = [
        ("loadBalancerIP", !service.text("/spec/loadBalancerIP").is_empty()),
        ("externalIPs", has_external_ips),
        ("SessionAffinity", service.text("/spec/sessionAffinity") != "None"),
    ];
    for (field, _) in ignored.iter().filter(|(_, given)| headless && *given) {
        warnings.push(format!("spec.{field} is ignored for headless services"));
    }
    warnings.extend(spelling(service, "externalIPs"));
    if has_external_ips && !headless && !named {
        warnings.push(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned(),
        );
    }
    warnings.extend(address::ip_warning(
        "spec.loadBalancerIP",
        service.text("/spec/loadBalancerIP"),
    ));
    for (at, range) in service.items("/spec/loadBalancerSourceRanges").iter().enumerate() {
        let path = format!("spec.loadBalancerSourceRanges[{at}]");
        warnings.extend(address::cidr_warnings(&path, range.as_str().unwrap_or_default()));
    }
    if named && has_external_ips {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if !named && !service.text("/spec/externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if service.text("/spec/trafficDistribution") == "PreferClose" {
        warnings.push(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned(),
        );
    }
    warnings
}

/// Addresses of a list of the specification that are not written as they should be.
fn spelling(service: &Value, list: &str) -> Vec<String> {
    let ips = service.field("spec").field(list).as_array();
    ips.into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(at, ip)| {
            address::ip_warning(&format!("spec.{list}[{at}]"), ip.as_str().unwrap_or_default())
        })
        .collect()
}

/// What to warn about in the status that a load balancer writes.
pub(crate) fn load_balancer_warnings(object: &Value) -> Vec<String> {
    object
        .items("/status/loadBalancer/ingress")
        .iter()
        .enumerate()
        .filter_map(|(at, ingress)| {
            address::ip_warning(&format!("status.loadBalancer.ingress[{at}]"), ingress.text("/ip"))
        })
        .collect()
}
