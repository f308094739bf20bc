//! The policy group.

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(_plural: &str) -> Option<Arc<dyn Strategy>> {
    None
}
