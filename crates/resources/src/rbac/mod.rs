//! The rbac.authorization.k8s.io group.

mod binding;
mod role;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

use self::binding::Binding;
use self::role::Role;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "clusterrolebindings" => Arc::new(Binding { is_namespaced: false }),
        "clusterroles" => Arc::new(Role { is_namespaced: false }),
        "rolebindings" => Arc::new(Binding { is_namespaced: true }),
        "roles" => Arc::new(Role { is_namespaced: true }),
        _ => return None,
    })
}
