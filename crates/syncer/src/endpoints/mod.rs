//! Endpoints of services without a selector: nobody but the tenant can know where those lead.

use std::sync::Arc;

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_config::VirtualClusterSpec;
use warren_translate::Virtual;

use crate::binding::Bindings;
use crate::mirrored::{Kind, rule};
use crate::pod::references::elements;
use crate::service::is_own_api;
use crate::sides::Sides;

/// The rule.
pub(crate) struct EndpointsRule {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for EndpointsRule {
    const RESOURCE: Resource = resource::ENDPOINTS;
    const STATUS: bool = false;

    fn is_on(spec: &VirtualClusterSpec) -> bool {
        spec.sync.to_host.endpoints.enabled
    }

    fn content(sides: &Sides<'_>, value: &Value) -> Option<Map<String, Value>> {
        let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
        if !is_by_hand(sides, &key) {
            return None;
        }
        let mut subsets = value.at("/subsets").clone();
        for subset in subsets.as_array_mut().into_iter().flatten() {
            for list in ["addresses", "notReadyAddresses"] {
                for address in elements(subset, list) {
                    translate_target(sides, address);
                }
            }
        }
        let mut content = Map::new();
        if !subsets.is_null() {
            content.insert("subsets".to_owned(), subsets);
        }
        Some(content)
    }
}

// A Service that loses its selector leaves its endpoints to the tenant.
rule!(EndpointsRule, "sync-endpoints", also resource::SERVICES => |change, _, out| out.add(change.object.key()));

/// Whether the Service of this key has no selector, so that its endpoints are the tenant's to write.
pub(crate) fn is_by_hand(sides: &Sides<'_>, service: &ObjectKey) -> bool {
    if is_own_api(service) {
        return false;
    }
    let Some(service) = sides.virtual_cluster.get(&resource::SERVICES, service) else {
        return false;
    };
    let service = service.to_value();
    let selector = service.at("/spec/selector").as_object();
    selector.is_none_or(Map::is_empty) && service.text("/spec/type") != "ExternalName"
}

/// `targetRef` names the host pod, if the address is one's.
pub(crate) fn translate_target(sides: &Sides<'_>, address: &mut Value) {
    let Some(target) = address.get_mut("targetRef") else {
        return;
    };
    if target.text("/kind") != resource::PODS.kind {
        address.take_at("/targetRef");
        return;
    }
    let pod = ObjectKey {
        namespace: SmolStr::new(target.text("/namespace")),
        name: SmolStr::new(target.text("/name")),
    };
    let host = sides.binding.tenant.host_key(&resource::PODS, &Virtual(pod)).0;
    let there = sides.host.get(&resource::PODS, &host);
    target.set("/name", host.name.as_str());
    target.set("/namespace", host.namespace.as_str());
    target.take_at("/resourceVersion");
    match there {
        Some(pod) => target.set("/uid", pod.meta().uid.as_str()),
        None => {
            target.take_at("/uid");
        }
    }
}
