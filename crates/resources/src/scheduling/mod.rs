//! The scheduling.k8s.io group.

mod priority_class;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "priorityclasses" => Arc::new(priority_class::PriorityClass),
        _ => return None,
    })
}
