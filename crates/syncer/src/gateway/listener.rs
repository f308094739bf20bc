//! Gateways: their certificates by their host names. Which routes they take is judged in the virtual cluster, so on the
//! host they take those of the host namespace.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::each;
use super::reference::{Referrer, translate};
use crate::ingress::is_allowed;
use crate::mirrored::{Carry, Notice, Report};
use crate::sides::Sides;

const REFERENCES: [(&str, &str); 5] = [
    ("/spec/listeners/*/tls/certificateRefs/*", "Secret"),
    (
        "/spec/listeners/*/tls/frontendValidation/caCertificateRefs/*",
        "ConfigMap",
    ),
    (
        "/spec/tls/frontend/default/validation/caCertificateRefs/*",
        "ConfigMap",
    ),
    ("/spec/tls/backend/clientCertificateRef", "Secret"),
    ("/spec/infrastructure/parametersRef", "ConfigMap"),
];

pub(super) fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let allowed = sides.binding.spec.policies.ingresses.allowed_hosts.as_deref();
    let mut names = value
        .items("/spec/listeners")
        .iter()
        .map(|listener| listener.text("/hostname"));
    if let Some(name) = names.find(|name| !name.is_empty() && !is_allowed(allowed, name)) {
        return Carry::Refused(Notice::new(format!(
            "The host name {name:?} is not one that this cluster may claim"
        )));
    }
    let referrer = Referrer::new(sides, "Gateway", value.text("/metadata/namespace"));
    for (path, kind) in REFERENCES {
        each(path, host, |reference| translate(&referrer, kind, reference));
    }
    if !sides.binding.spec.sync.to_host.namespaces.enabled {
        each("/spec/listeners/*", host, |listener| {
            listener.set("/allowedRoutes/namespaces", json!({"from": "Same"}));
        });
    }
    Carry::Yes
}

/// The status, as it is: it names nothing of the host's but addresses, which are the tenant's to know.
pub(super) fn report(_: &Sides<'_>, _: &Value, host: &Value) -> Report {
    Report {
        main: Value::Null,
        status: host.at("/status").clone(),
    }
}
