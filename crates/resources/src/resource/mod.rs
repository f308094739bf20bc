//! The resource.k8s.io group.

mod claim_status;
mod device;
mod device_claim;
mod device_class;
mod part;
mod resource_claim;
mod resource_claim_template;
mod resource_slice;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "deviceclasses" => Arc::new(device_class::DeviceClass),
        "resourceclaims" => Arc::new(resource_claim::ResourceClaim),
        "resourceclaimtemplates" => Arc::new(resource_claim_template::ResourceClaimTemplate),
        "resourceslices" => Arc::new(resource_slice::ResourceSlice),
        _ => return None,
    })
}
