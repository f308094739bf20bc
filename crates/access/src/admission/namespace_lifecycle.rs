//! NamespaceLifecycle: nothing is written where there is no namespace, nothing new where one is going away, and
//! some namespaces stay.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::NAMESPACES;
use warren_apimachinery::status::Cause;
use warren_registry::admission::Operation;

use super::Asked;

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    let namespace = cx.key.namespace.as_str();
    if namespace.is_empty() || NAMESPACES.is(&cx.resource) || is_review(cx) {
        return Ok(());
    }
    let Some(found) = cx.find(&NAMESPACES, "", namespace) else {
        return Err(Status::not_found(&NAMESPACES.group_resource(), namespace));
    };
    if cx.operation != Operation::Create || !found.meta().deleting {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    Err(cx.forbidden(object, why).with_causes(vec![Cause {
        reason: "NamespaceTerminating".to_owned(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    }]))
}

fn is_review(cx: &Asked<'_>) -> bool {
    cx.resource.group == "authorization.k8s.io" && cx.resource.resource == "localsubjectaccessreviews"
}

pub(super) fn validate(cx: &Asked<'_>, _: Option<&Value>) -> Result<(), Status> {
    let name = cx.key.name.as_str();
    let deletes = cx.operation == Operation::Delete && cx.writes(&NAMESPACES);
    if deletes && IMMORTAL.contains(&name) {
        return Err(Status::forbidden(
            &cx.resource,
            name,
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}
