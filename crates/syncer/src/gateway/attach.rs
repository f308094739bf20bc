//! Which routes a listener takes: the Gateway's `allowedRoutes` for the tenant's own, the configuration's for those of
//! the host that the tenant is shown.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{LabelSelector, ObjectKey, resource};
use warren_config::VirtualNamespacePolicy;

use super::is_shown;
use crate::ingress::is_allowed;
use crate::shown::Mapping;
use crate::sides::Sides;

/// Whether routes of `namespace` with these host names may attach to the Gateway `key` (one of its listeners, if
/// `section` names it).
pub(super) fn may_attach(
    sides: &Sides<'_>,
    key: &ObjectKey,
    section: &str,
    namespace: &str,
    hostnames: &[&str],
) -> bool {
    if is_shown(sides, key) {
        return may_attach_to_shown(sides, key, namespace, hostnames);
    }
    let Some(gateway) = sides.virtual_cluster.get(&resource::GATEWAYS, key) else {
        // The host's controller says that it is not there.
        return true;
    };
    let gateway = gateway.to_value();
    let mut listeners = gateway
        .items("/spec/listeners")
        .iter()
        .filter(|listener| section.is_empty() || listener.text("/name") == section);
    listeners.any(|listener| {
        let policy = listener.at("/allowedRoutes/namespaces");
        allows(
            sides,
            key,
            namespace,
            (policy.text("/from"), policy.at("/selector")),
        )
    })
}

fn allows(sides: &Sides<'_>, gateway: &ObjectKey, namespace: &str, (from, selector): (&str, &Value)) -> bool {
    match from {
        "All" => true,
        "Selector" => {
            let namespace = sides
                .virtual_cluster
                .get(&resource::NAMESPACES, &ObjectKey::cluster(namespace));
            let Some((namespace, selector)) = namespace.zip(LabelSelector::from_json(selector).ok()) else {
                return false;
            };
            selector.matches(namespace.meta())
        }
        "None" => false,
        _ => gateway.namespace == namespace,
    }
}

fn may_attach_to_shown(sides: &Sides<'_>, key: &ObjectKey, namespace: &str, hostnames: &[&str]) -> bool {
    let gateways = &sides.binding.spec.sync.from_host.gateways;
    let Some(host) = host_gateway(sides, key) else {
        return false;
    };
    let mut overrides = gateways.allowed_routes.overrides.iter();
    let own =
        overrides.find(|own| host.namespace == own.host_namespace.as_str() && host.name == own.name.as_str());
    let policy = own.map_or(&gateways.allowed_routes.default_virtual_namespace_policy, |own| {
        &own.virtual_namespace_policy
    });
    let names = own
        .map(|own| own.allowed_hostnames.as_slice())
        .filter(|names| !names.is_empty());
    let named =
        hostnames.iter().all(|name| is_allowed(names, name)) && (names.is_none() || !hostnames.is_empty());
    named && policy_allows(sides, key, namespace, policy)
}

fn policy_allows(
    sides: &Sides<'_>,
    gateway: &ObjectKey,
    namespace: &str,
    policy: &VirtualNamespacePolicy,
) -> bool {
    let from = match policy.from.as_str() {
        "" => "All",
        from => from,
    };
    let selector = serde_json::to_value(&policy.selector).unwrap_or_else(|_| json!({}));
    allows(sides, gateway, namespace, (from, &selector))
}

/// The Gateway of the host that a virtual one stands for.
pub(super) fn host_gateway(sides: &Sides<'_>, key: &ObjectKey) -> Option<ObjectKey> {
    mapping(sides)?.to_host(key)
}

/// As which Gateway the tenant is shown one of the host.
pub(super) fn shown_as(sides: &Sides<'_>, host: &ObjectKey) -> Option<ObjectKey> {
    let key = mapping(sides)?.to_virtual(host)?;
    is_shown(sides, &key).then_some(key)
}

fn mapping<'a>(sides: &'a Sides<'_>) -> Option<Mapping<'a>> {
    let gateways = &sides.binding.spec.sync.from_host.gateways;
    let mapping = Mapping::new(&sides.binding, &gateways.mappings, resource::GATEWAYS.scope);
    gateways.enabled.then_some(mapping)
}
