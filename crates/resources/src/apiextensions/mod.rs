//! The apiextensions.k8s.io group.

mod custom_resource_definition;
mod names;
mod versions;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "customresourcedefinitions" => Arc::new(custom_resource_definition::CustomResourceDefinition),
        _ => return None,
    })
}
