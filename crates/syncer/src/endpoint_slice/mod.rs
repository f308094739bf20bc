//! EndpointSlices of services without a selector, but for those that mirror Endpoints: the host mirrors its own.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};
use warren_reconciler::{Change, Cluster, Triggers};

use crate::endpoints::{is_by_hand, translate_target};
use crate::mirrored::{Carry, Row, Setting, name_on_host};
use crate::pod::references::elements;
use crate::sides::Sides;

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MIRRORING: &str = "endpointslicemirroring-controller.k8s.io";

/// The kind.
pub(crate) const ROW: Row = Row {
    watches: &[resource::ENDPOINT_SLICES, resource::SERVICES],
    also: slices_of_service,
    fields: &["addressType", "endpoints", "ports"],
    follows: &["/endpoints", "/ports"],
    fixed: &["/addressType"],
    shape,
    ..Row::new("sync-endpoint-slices", resource::ENDPOINT_SLICES, |spec| {
        Setting::of(&spec.sync.to_host.endpoint_slices)
    })
};

fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let labels = value.at("/metadata/labels");
    let Some(service) = labels.field(SERVICE_NAME).as_str() else {
        return Carry::No;
    };
    let namespace = value.text("/metadata/namespace");
    let key = ObjectKey::namespaced(namespace, service);
    if labels.field(MANAGED_BY).as_str() == Some(MIRRORING) || !is_by_hand(sides, &key) {
        return Carry::No;
    }
    let service = name_on_host(sides, &resource::SERVICES, namespace, service);
    host.set("/metadata/labels/kubernetes.io~1service-name", service.as_str());
    for endpoint in elements(host, "endpoints") {
        translate_target(sides, endpoint);
    }
    Carry::Yes
}

/// A Service that loses its selector leaves its slices to the tenant.
fn slices_of_service(service: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    let meta = service.object.meta();
    for slice in cluster.list(&resource::ENDPOINT_SLICES, Some(&meta.namespace)) {
        if slice.meta().label(SERVICE_NAME) == Some(&meta.name) {
            out.add(slice.key());
        }
    }
}
