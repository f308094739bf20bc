//! The apiextensions.k8s.io group.

mod columns;
mod conversion;
mod custom_resource_definition;
mod formats;
mod internal;
mod names;
mod schema;
mod selectable_fields;
mod spec;
mod version;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "customresourcedefinitions" => Arc::new(custom_resource_definition::CustomResourceDefinition),
        _ => return None,
    })
}
