//! What upstream warns about in a service that it nevertheless accepts.

use std::net::Ipv6Addr;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::is_headless;

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";

/// What to warn about.
pub(super) fn warnings(service: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn_if = |wrong: bool, warning: &str| {
        if wrong {
            warnings.push(warning.to_owned());
        }
    };
    let kind = service.text("/spec/type");
    let named = kind == "ExternalName";
    let headless = kind == "ClusterIP" && is_headless(service);
    let has_external_ips = !service.items("/spec/externalIPs").is_empty();
    warn_if(
        !service.at("/metadata/annotations").field(HINTS).is_null(),
        &format!("annotation {HINTS} is deprecated, please use {MODE} instead"),
    );
    warn_if(
        headless && !service.text("/spec/loadBalancerIP").is_empty(),
        "spec.loadBalancerIP is ignored for headless services",
    );
    warn_if(
        headless && has_external_ips,
        "spec.externalIPs is ignored for headless services",
    );
    warn_if(
        headless && service.text("/spec/sessionAffinity") != "None",
        "spec.SessionAffinity is ignored for headless services",
    );
    warn_if(
        has_external_ips && !headless && !named,
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    );
    warn_if(
        named && has_external_ips,
        "spec.externalIPs is ignored when spec.type is \"ExternalName\"",
    );
    warn_if(
        !named && !service.text("/spec/externalName").is_empty(),
        "spec.externalName is ignored when spec.type is not \"ExternalName\"",
    );
    warn_if(
        service.text("/spec/trafficDistribution") == "PreferClose",
        "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
    );
    for list in ["clusterIPs", "externalIPs"] {
        let ips = service.field("spec").field(list).as_array();
        for (at, ip) in ips.into_iter().flatten().enumerate() {
            let ip = ip.as_str().unwrap_or_default();
            warnings.extend(not_canonical(&format!("spec.{list}[{at}]"), ip));
        }
    }
    warnings.extend(not_canonical(
        "spec.loadBalancerIP",
        service.text("/spec/loadBalancerIP"),
    ));
    warnings
}

fn not_canonical(path: &str, ip: &str) -> Option<String> {
    let canonical = ip.parse::<Ipv6Addr>().ok()?.to_string();
    (canonical != ip).then(|| {
        format!("{path}: IPv6 address {ip:?} should be in RFC 5952 canonical format ({canonical:?})")
    })
}
