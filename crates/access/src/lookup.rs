//! The `Lookup` port: what the steps read of the cluster they guard.

use std::sync::Arc;

use warren_apimachinery::{Object, ObjectKey, Resource};

/// Reads of one cluster's current state. Every call sees a state at least as new as the call before.
pub trait Lookup: Send + Sync {
    /// One object.
    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>>;

    /// All objects of a resource (of one namespace), ordered by key.
    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>>;

    /// A mark that differs whenever an object of one of `resources` differs. Must cost next to nothing.
    fn mark(&self, resources: &[Resource]) -> u64;
}
