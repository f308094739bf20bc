//! What upstream warns about in a service that it nevertheless accepts.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::is_headless;

/// What upstream warns about in a service.
pub(super) fn warnings(service: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let annotations = service.at("/metadata/annotations");
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    if !annotations.field(HINTS).is_null() {
        warnings.push(format!(
            "metadata.annotations[{HINTS}]: please use `service.kubernetes.io/topology-mode` instead"
        ));
    }
    if service.text("/spec/type") == "ExternalName" && !service.items("/spec/externalIPs").is_empty() {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if service.text("/spec/type") != "LoadBalancer" && !service.text("/spec/loadBalancerIP").is_empty() {
        warnings.push(format!(
            "spec.loadBalancerIP is ignored when spec.type is {:?}",
            service.text("/spec/type")
        ));
    }
    if is_headless(service) && service.text("/spec/sessionAffinity") == "ClientIP" {
        warnings.push("spec.SessionAffinity is ignored for headless services".to_owned());
    }
    warnings
}
