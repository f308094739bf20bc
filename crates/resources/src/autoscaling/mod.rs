//! The autoscaling group.

mod horizontal_pod_autoscaler;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "horizontalpodautoscalers" => Arc::new(horizontal_pod_autoscaler::HorizontalPodAutoscaler),
        _ => return None,
    })
}
