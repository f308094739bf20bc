//! Gateways of the host as a tenant sees them: without certificates and addresses, unless the configuration shows them,
//! and open to the routes that the configuration lets attach.

use serde_json::{Value, json};
use warren_apimachinery::Object;
use warren_apimachinery::value::ValueExt;
use warren_config::{AllowedRoutes, VirtualNamespacePolicy};

use crate::sides::Sides;

/// Says of which Gateway of the host a shown one is, where the configuration says so.
const SOURCE: &str = "/metadata/annotations/warren.dev~1source-gateway";

/// See the module. `false`: the selector does not select it.
pub(super) fn view(sides: &Sides<'_>, host: &Object, gateway: &mut Value) -> bool {
    let said = &sides.binding.spec.sync.from_host.gateways;
    // A checked configuration has no selector that cannot be read.
    let selected = said
        .selector
        .compiled()
        .is_ok_and(|selector| selector.matches(host.meta()));
    if !selected && !said.selector.is_everything() {
        return false;
    }
    if said.sanitize.infrastructure {
        gateway.take_at("/spec/infrastructure");
    }
    if !said.status.expose_addresses {
        gateway.take_at("/spec/addresses");
        gateway.take_at("/status/addresses");
    }
    if said.metadata.expose_source_gateway {
        gateway.set(SOURCE, host.key().to_string());
    }
    let policy = policy_of(&said.allowed_routes, host);
    let listeners = gateway
        .pointer_mut("/spec/listeners")
        .and_then(Value::as_array_mut);
    for listener in listeners.into_iter().flatten() {
        if said.sanitize.certificate_refs {
            listener.take_at("/tls/certificateRefs");
            listener.take_at("/tls/frontendValidation");
        }
        listener.set("/allowedRoutes/namespaces", shown_policy(policy));
    }
    true
}

/// What holds for one Gateway: its own entry, or the default.
pub(crate) fn policy_of<'a>(allowed: &'a AllowedRoutes, host: &Object) -> &'a VirtualNamespacePolicy {
    let key = host.key();
    let mut overrides = allowed.overrides.iter();
    let own =
        overrides.find(|own| key.namespace == own.host_namespace.as_str() && key.name == own.name.as_str());
    own.map_or(&allowed.default_virtual_namespace_policy, |own| {
        &own.virtual_namespace_policy
    })
}

fn shown_policy(policy: &VirtualNamespacePolicy) -> Value {
    match policy.from.as_str() {
        "" | "All" => json!({"from": "All"}),
        "Selector" => json!({"from": "Selector", "selector": policy.selector}),
        from => json!({"from": from}),
    }
}
