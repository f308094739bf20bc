//! The discovery.k8s.io group.

mod endpoint_slice;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "endpointslices" => Arc::new(endpoint_slice::EndpointSlice),
        _ => return None,
    })
}
