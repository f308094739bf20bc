//! The coordination.k8s.io group.

mod lease;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "leases" => Arc::new(lease::Lease),
        _ => return None,
    })
}
