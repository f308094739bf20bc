//! What of a configuration is said once and for all: where on the host a virtual cluster's objects are.

use warren_config::VirtualClusterSpec;

/// Why a changed configuration cannot be followed, as in vCluster: the objects of the old one would not be found again.
pub(super) fn changed(before: &VirtualClusterSpec, now: &VirtualClusterSpec) -> Option<&'static str> {
    let (before, now) = (&before.sync.to_host.namespaces, &now.sync.to_host.namespaces);
    if before.enabled != now.enabled {
        Some("sync.toHost.namespaces.enabled is not allowed to be changed")
    } else if before.mappings_only != now.mappings_only {
        Some("sync.toHost.namespaces.mappingsOnly is not allowed to be changed")
    } else if before.mappings != now.mappings {
        Some("sync.toHost.namespaces.mappings.byName is not allowed to be changed")
    } else {
        None
    }
}

/// Why a configuration cannot be followed where only the namespace `confined` of the host is looked into.
pub(super) fn beyond(confined: Option<&str>, spec: &VirtualClusterSpec) -> Option<&'static str> {
    let spreads = confined.is_some() && spec.sync.to_host.namespaces.enabled;
    spreads.then_some("sync.toHost.namespaces.enabled: only one namespace of the host is looked into; serve without --namespace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_namespaces_are_stays_as_it_was_and_all_else_may_change() {
        let before = VirtualClusterSpec::default();
        let mut now = before.clone();
        now.sync
            .to_host
            .namespaces
            .extra_labels
            .insert("a".to_owned(), "b".to_owned());
        now.sync.to_host.ingresses.enabled = true;
        assert_eq!(changed(&before, &now), None);
        now.sync.to_host.namespaces.enabled = true;
        assert_eq!(
            changed(&before, &now),
            Some("sync.toHost.namespaces.enabled is not allowed to be changed")
        );
    }
}
