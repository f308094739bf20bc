//! EndpointSlices of services without a selector, but for those that mirror Endpoints: the host mirrors its own.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{Change, Cluster, Triggers};
use warren_translate::{NAMESPACE, Virtual};

use crate::binding::Bindings;
use crate::endpoints::{is_by_hand, translate_target};
use crate::mirrored::{Kind, rule};
use crate::sides::Sides;

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MIRRORING: &str = "endpointslicemirroring-controller.k8s.io";

/// The rule.
pub(crate) struct EndpointSlices {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for EndpointSlices {
    const RESOURCE: Resource = resource::ENDPOINT_SLICES;
    const STATUS: bool = false;

    fn is_on(spec: &VirtualClusterSpec) -> bool {
        spec.sync.to_host.endpoint_slices.enabled
    }

    fn content(sides: &Sides<'_>, value: &Value) -> Option<Map<String, Value>> {
        let labels = value.at("/metadata/labels");
        let service = labels.field(SERVICE_NAME).as_str()?;
        let key = ObjectKey::namespaced(value.text("/metadata/namespace"), service);
        if labels.field(MANAGED_BY).as_str() == Some(MIRRORING) || !is_by_hand(sides, &key) {
            return None;
        }
        let mut content = Map::new();
        for field in ["addressType", "endpoints", "ports"] {
            if !value.field(field).is_null() {
                content.insert(field.to_owned(), value.field(field).clone());
            }
        }
        for endpoint in content
            .get_mut("endpoints")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            translate_target(sides, endpoint);
        }
        Some(content)
    }

    fn metadata(sides: &Sides<'_>, metadata: &mut Value) {
        let labels = metadata.at("/labels");
        let (Some(service), Some(namespace)) = (
            labels.field(SERVICE_NAME).as_str(),
            labels.field(NAMESPACE).as_str(),
        ) else {
            return;
        };
        let key = Virtual(ObjectKey::namespaced(namespace, service));
        let host = sides.binding.tenant.host_name(&resource::SERVICES, &key).0;
        metadata.set("/labels/kubernetes.io~1service-name", host.as_str());
    }
}

rule!(EndpointSlices, "sync-endpoint-slices", also resource::SERVICES => slices_of_service);

/// A Service that loses its selector leaves its slices to the tenant.
fn slices_of_service(service: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    let meta = service.object.meta();
    for slice in cluster.list(&resource::ENDPOINT_SLICES, Some(&meta.namespace)) {
        if slice.meta().label(SERVICE_NAME) == Some(&meta.name) {
            out.add(slice.key());
        }
    }
}
