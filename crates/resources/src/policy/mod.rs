//! The policy group.

mod pod_disruption_budget;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "poddisruptionbudgets" => Arc::new(pod_disruption_budget::PodDisruptionBudget),
        _ => return None,
    })
}
