//! Endpoints of services without a selector: nobody but the tenant can know where those lead.

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};
use warren_translate::Virtual;

use crate::from_host::is_ours;
use crate::mirrored::{Carry, Row, Setting};
use crate::pod::references::elements;
use crate::service::is_own;
use crate::sides::Sides;

/// The kind.
pub(crate) const ROW: Row = Row {
    watches: &[resource::ENDPOINTS, resource::SERVICES],
    // A Service that loses its selector leaves its endpoints to the tenant.
    also: |change, _, out| out.add(change.object.key()),
    fields: &["subsets"],
    follows: &["/subsets"],
    shape,
    ..Row::new("sync-endpoints", resource::ENDPOINTS, |spec| {
        Setting::of(&spec.sync.to_host.endpoints)
    })
};

fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
    if !is_by_hand(sides, &key) {
        return Carry::No;
    }
    for subset in elements(host, "subsets") {
        for list in ["addresses", "notReadyAddresses"] {
            for address in elements(subset, list) {
                translate_target(sides, address);
            }
        }
    }
    Carry::Yes
}

/// Whether the Service of this key has no selector, so that its endpoints are the tenant's to write.
pub(crate) fn is_by_hand(sides: &Sides<'_>, service: &ObjectKey) -> bool {
    if is_own(&sides.binding, service) {
        return false;
    }
    let Some(service) = sides.virtual_cluster.get(&resource::SERVICES, service) else {
        return false;
    };
    if is_ours(&service) {
        return false;
    }
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
