//! The flowcontrol.apiserver.k8s.io group.

mod flow_schema;
mod mandatory;
mod priority_level_configuration;
mod rules;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The name of the flow schema and the priority level that nothing limits.
const EXEMPT: &str = "exempt";

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "flowschemas" => Arc::new(flow_schema::FlowSchema),
        "prioritylevelconfigurations" => Arc::new(priority_level_configuration::PriorityLevelConfiguration),
        _ => return None,
    })
}
