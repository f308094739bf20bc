//! What a node may do to pods: report on its own, evict and delete them, and make mirrors of static ones.

use serde_json::Value;
use warren_apimachinery::resource::{NODES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Status};
use warren_registry::admission::Operation;

use super::super::Asked;
use super::verb;
use crate::pod_references;

const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn restrict(cx: &Asked<'_>, node: &str, object: &Value) -> Result<(), Status> {
    match (cx.subresource, cx.operation) {
        ("", Operation::Create) => create(cx, node, object),
        ("", Operation::Delete) => {
            let why = format!("node {node:?} can only delete pods with spec.nodeName set to itself");
            on_node(cx, node, object, &cx.key.name, why)
        }
        ("", other) => {
            let other = verb(other);
            let why = format!(
                "unexpected operation {other:?}, node {node:?} can only create and delete mirror pods"
            );
            Err(cx.forbidden(object, why))
        }
        ("status", Operation::Update) => status(cx, node, object),
        ("status", other) => Err(cx.forbidden(object, format!("unexpected operation {:?}", verb(other)))),
        ("eviction", Operation::Create) => {
            let name = [cx.key.name.as_str(), object.text("/metadata/name")];
            let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
            let why = format!("node {node} can only evict pods with spec.nodeName set to itself");
            on_node(cx, node, object, name, why)
        }
        ("eviction", other) => Err(cx.forbidden(object, format!("unexpected operation {}", verb(other)))),
        (other, _) => {
            let why =
                format!("unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed");
            Err(cx.forbidden(object, why))
        }
    }
}

fn on_node(cx: &Asked<'_>, node: &str, object: &Value, name: &str, why: String) -> Result<(), Status> {
    let Some(pod) = cx.find(&PODS, &cx.key.namespace, name) else {
        // Upstream's cache says it in the singular.
        return Err(Status::not_found(&GroupResource::new("", "pod"), name));
    };
    if pod.to_value().text("/spec/nodeName") == node {
        return Ok(());
    }
    Err(cx.forbidden(object, why))
}

/// Only mirrors of static pods, of its own, that give it no more to read.
fn create(cx: &Asked<'_>, node: &str, pod: &Value) -> Result<(), Status> {
    let refused = |why: String| Err(cx.forbidden(pod, why));
    if pod.at("/metadata/annotations").field(MIRROR).is_null() {
        return refused(format!(
            "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
        ));
    }
    if pod.text("/spec/nodeName") != node {
        return refused(format!(
            "node {node:?} can only create pods with spec.nodeName set to itself"
        ));
    }
    let owner = match pod.items("/metadata/ownerReferences") {
        [] => {
            return refused(format!(
                "node {node:?} can only create pods with an owner reference set to itself"
            ));
        }
        [owner] => owner,
        _ => {
            return refused(format!(
                "node {node:?} can only create pods with a single owner reference set to itself"
            ));
        }
    };
    owned(cx, node, pod, owner)?;
    match pod_references::any(pod) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => refused(format!("node {node:?} can not create pods that reference {what}")),
        Err(why) => refused(format!("error checking mirror pod for API references: {why}")),
    }
}

fn owned(cx: &Asked<'_>, node: &str, pod: &Value, owner: &Value) -> Result<(), Status> {
    let refused = |why: String| Err(cx.forbidden(pod, why));
    let is_node = owner.text("/apiVersion") == "v1" && owner.text("/kind") == "Node";
    if !is_node || owner.text("/name") != node {
        return refused(format!(
            "node {node:?} can only create pods with an owner reference set to itself"
        ));
    }
    if owner.at("/controller") != true {
        return refused(format!(
            "node {node:?} can only create pods with a controller owner reference set to itself"
        ));
    }
    if owner.at("/blockOwnerDeletion") == true {
        return refused(format!(
            "node {node:?} must not set blockOwnerDeletion on an owner reference"
        ));
    }
    let Some(found) = cx.find(&NODES, "", node) else {
        return Err(Status::not_found(&GroupResource::new("", "node"), node));
    };
    let (expected, got) = (owner.text("/uid"), found.meta().uid.as_str());
    if expected == got {
        return Ok(());
    }
    refused(format!("node {node} UID mismatch: expected {expected} got {got}"))
}

fn status(cx: &Asked<'_>, node: &str, pod: &Value) -> Result<(), Status> {
    let old = cx.old.unwrap_or(&Value::Null);
    let refused = |why: String| Err(cx.forbidden(pod, why));
    if old.text("/spec/nodeName") != node {
        return refused(format!(
            "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
        ));
    }
    let is_same = |field: &str| old.at(field) == pod.at(field);
    let labels = |pod: &Value| {
        pod.at("/metadata/labels")
            .as_object()
            .cloned()
            .unwrap_or_default()
    };
    if labels(old) != labels(pod) {
        return refused(format!("node {node:?} cannot update labels through pod status"));
    }
    if old.items("/status/resourceClaimStatuses") != pod.items("/status/resourceClaimStatuses") {
        return refused(format!("node {node:?} cannot update resource claim statues"));
    }
    if !is_same("/status/extendedResourceClaimStatus") {
        return refused(format!(
            "node {node:?} cannot update extended resource claim status"
        ));
    }
    Ok(())
}
