//! ReferenceGrants: whether a namespace lets another one refer into it.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};

use super::each;
use super::reference::Referrer;
use crate::mirrored::Carry;
use crate::sides::Sides;

/// What is referred to.
pub(super) struct Target<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
}

/// Whether a grant in `namespace` lets the referrer refer to the target.
pub(super) fn is_granted(referrer: &Referrer<'_>, namespace: &str, target: &Target<'_>) -> bool {
    let grants = referrer
        .sides
        .virtual_cluster
        .list(&resource::REFERENCE_GRANTS, Some(namespace));
    grants
        .iter()
        .any(|grant| grants_to(&grant.to_value(), referrer, target))
}

fn grants_to(grant: &Value, referrer: &Referrer<'_>, target: &Target<'_>) -> bool {
    let from = grant.items("/spec/from").iter().any(|from| {
        from.text("/group") == resource::GATEWAYS.group
            && from.text("/kind") == referrer.kind
            && from.text("/namespace") == referrer.namespace
    });
    let to = grant.items("/spec/to").iter().any(|to| {
        let name = to.text("/name");
        to.text("/group") == target.group
            && to.text("/kind") == target.kind
            && (name.is_empty() || name == target.name)
    });
    from && to
}

/// A grant on a host whose namespaces are the tenant's.
pub(super) fn shape(sides: &Sides<'_>, _: &Value, host: &mut Value) -> Carry {
    each("/spec/from/*", host, |from| {
        let there = ObjectKey::namespaced(from.text("/namespace"), "any");
        let host = sides.host_key(&resource::GATEWAYS, &there);
        from.set("/namespace", host.namespace.as_str());
    });
    Carry::Yes
}
