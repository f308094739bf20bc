//! Labels and annotations: the tenant's pass through, ours are added, and reserved keys are moved aside so that
//! a tenant can neither forge nor lose one.

use std::collections::BTreeMap;

use crate::name::digest;

/// The label that names the virtual cluster of a host object.
pub const MANAGED_BY: &str = "warren.dev/managed-by";
/// The label that names the virtual namespace of a host object.
pub const NAMESPACE: &str = "warren.dev/namespace";

const RESERVED: &str = "warren.dev";
const MOVED: &str = "tenant.";
const NAMESPACE_LABELS: &str = "namespace.warren.dev/";

/// The key under which a label of a virtual namespace stands on its host pods, so that a namespace selector
/// can be translated. Hashed, as a prefixed key does not fit below another prefix.
pub fn namespace_label(key: &str) -> String {
    format!("{NAMESPACE_LABELS}{}", digest(&[key]))
}

/// The key that a tenant's label or annotation has on the host: itself, unless its prefix is reserved.
pub(crate) fn to_host(key: &str) -> String {
    if is_reserved(key) {
        format!("{MOVED}{key}")
    } else {
        key.to_owned()
    }
}

/// The tenant's key of a host label or annotation; `None` for ours.
pub(crate) fn to_virtual(key: &str) -> Option<&str> {
    if !is_reserved(key) {
        return Some(key);
    }
    key.strip_prefix(MOVED).filter(|rest| is_reserved(rest))
}

/// The tenant's labels (or annotations) as the host has them.
pub(crate) fn all_to_host<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    all.into_iter()
        .map(|(key, value)| (to_host(key), value.to_owned()))
        .collect()
}

fn is_reserved(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, _)| {
        prefix
            .strip_suffix(RESERVED)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tenant_cannot_forge_our_labels() {
        assert_eq!(to_host(MANAGED_BY), "tenant.warren.dev/managed-by");
        assert_eq!(
            to_host(&namespace_label("team")).split('/').next(),
            Some("tenant.namespace.warren.dev")
        );
        assert_eq!(to_virtual(MANAGED_BY), None);
        assert_eq!(to_virtual(&namespace_label("team")), None);
        assert_eq!(to_host("notwarren.dev/x"), "notwarren.dev/x");
    }

    proptest! {
        #[test]
        fn keys_come_back(key in "((tenant[.]){0,2}(a[.])?warren[.]dev/|k8s[.]io/)?[a-z]{1,8}") {
            let host = to_host(&key);
            prop_assert_eq!(to_virtual(&host), Some(key.as_str()));
            prop_assert_ne!(host.as_str(), MANAGED_BY);
        }
    }
}
