//! The apiregistration.k8s.io group.

mod api_service;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "apiservices" => Arc::new(api_service::ApiService),
        _ => return None,
    })
}
