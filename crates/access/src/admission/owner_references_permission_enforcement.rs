//! OwnerReferencesPermissionEnforcement: who gives an object an owner could delete it, and who blocks the owner's
//! deletion may do so.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;
use warren_rbac::{Attributes, Decision};
use warren_registry::admission::Operation;

use super::Asked;
use crate::authorization::decide;

const OWNERS: &str = "/metadata/ownerReferences";

pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    let Some(object) = object.filter(|_| writes) else {
        return Ok(());
    };
    // Old kubelets spoil them there, and the strategy keeps them.
    let is_status_of_pod = PODS.is(&cx.resource) && cx.subresource == "status";
    let before = cx.old.map(|old| old.items(OWNERS)).unwrap_or_default();
    let after = object.items(OWNERS);
    if is_status_of_pod || before == after {
        return Ok(());
    }
    if cx.operation != Operation::Create {
        let asked = Attributes {
            verb: "delete",
            group: &cx.resource.group,
            version: "*",
            resource: &cx.resource.resource,
            subresource: cx.subresource,
            namespace: &cx.key.namespace,
            name: &cx.key.name,
            ..Attributes::default()
        };
        if let Some(reason) = refused(cx, &asked) {
            let why = format!("cannot set an ownerRef on a resource you can't delete: {reason}, <nil>");
            return Err(cx.forbidden(object, why));
        }
    }
    blocks(cx, object, before, after)
}

/// Whether the user may keep the owners from being deleted.
fn blocks(cx: &Asked<'_>, object: &Value, before: &[Value], after: &[Value]) -> Result<(), Status> {
    let is_blocking = |owner: &&Value| owner.at("/blockOwnerDeletion") == true;
    let new = after.iter().filter(is_blocking).filter(|owner| {
        let mut held = before.iter().filter(is_blocking);
        !held.any(|held| held.text("/uid") == owner.text("/uid"))
    });
    let new: Vec<&Value> = new.collect();
    let anything = Attributes {
        verb: "update",
        group: "*",
        version: "*",
        resource: "*",
        subresource: "finalizers",
        name: "*",
        ..Attributes::default()
    };
    if new.is_empty() || refused(cx, &anything).is_none() {
        return Ok(());
    }
    new.into_iter()
        .try_for_each(|owner| may_finalize(cx, object, owner))
}

fn may_finalize(cx: &Asked<'_>, object: &Value, owner: &Value) -> Result<(), Status> {
    let (version, kind) = (owner.text("/apiVersion"), owner.text("/kind"));
    let (group, served) = version.rsplit_once('/').unwrap_or(("", version));
    let known = cx.catalogue.kind(group, kind);
    let known = known.filter(|definition| cx.catalogue.served(group, served, &definition.plural).is_some());
    let Some(definition) = known else {
        let why = format!(
            "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion {version} Kind {kind}: no matches for kind {kind:?} in version {version:?}"
        );
        return Err(cx.forbidden(object, why));
    };
    let asked = Attributes {
        verb: "update",
        group,
        version: served,
        resource: &definition.plural,
        subresource: "finalizers",
        namespace: if definition.is_namespaced() {
            &cx.key.namespace
        } else {
            ""
        },
        name: owner.text("/name"),
        ..Attributes::default()
    };
    match refused(cx, &asked) {
        None => Ok(()),
        Some(reason) => {
            let why = format!(
                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: {reason}, <nil>"
            );
            Err(cx.forbidden(object, why))
        }
    }
}

/// Why the user may not, if so.
fn refused(cx: &Asked<'_>, asked: &Attributes<'_>) -> Option<String> {
    match decide(cx.guard, cx.cluster, cx.user, asked) {
        Decision::Allow(_) => None,
        Decision::NoOpinion(reason) => Some(reason),
    }
}
