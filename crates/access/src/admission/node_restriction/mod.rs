//! NodeRestriction: a node writes only what is its own: itself, its lease, the pods that run on it.

mod nodes;
mod pods;
mod tokens;

use serde_json::Value;
use warren_apimachinery::resource::{
    CERTIFICATE_SIGNING_REQUESTS, CSI_NODES, LEASES, NODES, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICE_ACCOUNTS,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, UserInfo};
use warren_registry::admission::Operation;

use super::Asked;
use crate::node;

const NODE_LEASES: &str = "kube-node-lease";
/// Who signs for kubelets.
const SIGNERS: [&str; 2] = [
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/kube-apiserver-client-kubelet",
];

/// Upstream asks while objects may still change, so that a node reads this before it reads what is invalid.
pub(super) fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    restrict(cx, object)
}

/// Deletions are admitted here alone.
pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    match cx.operation {
        Operation::Delete => restrict(cx, object.unwrap_or(&Value::Null)),
        _ => Ok(()),
    }
}

fn restrict(cx: &Asked<'_>, object: &Value) -> Result<(), Status> {
    let Some(node) = node::name_of(cx.user) else {
        return Ok(());
    };
    if node.is_empty() {
        return Err(unknown(cx, object, cx.user));
    }
    let is = |resource: &warren_apimachinery::Resource| resource.is(&cx.resource);
    if is(&PODS) {
        return pods::restrict(cx, node, object);
    }
    if is(&NODES) {
        return nodes::restrict(cx, node, object);
    }
    if is(&PERSISTENT_VOLUME_CLAIMS) {
        return claim_status(cx, node, object);
    }
    if is(&SERVICE_ACCOUNTS) {
        return tokens::restrict(cx, node, object);
    }
    if is(&LEASES) {
        return lease(cx, node, object);
    }
    if is(&CSI_NODES) {
        let why = "can only access CSINode with the same name as the requesting node";
        return named(cx, node, object, why);
    }
    if cx.resource.group == "resource.k8s.io" && cx.resource.resource == "resourceslices" {
        return slice(cx, node, object);
    }
    if is(&CERTIFICATE_SIGNING_REQUESTS) {
        return certificate(cx, node, object);
    }
    Ok(())
}

fn unknown(cx: &Asked<'_>, object: &Value, user: &UserInfo) -> Status {
    cx.forbidden(
        object,
        format!("could not determine node from user {:?}", user.name),
    )
}

/// How messages name what is done.
pub(super) const fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

fn named(cx: &Asked<'_>, node: &str, object: &Value, why: &str) -> Result<(), Status> {
    let name = match cx.operation {
        Operation::Create => object.text("/metadata/name"),
        _ => cx.key.name.as_str(),
    };
    if name == node {
        return Ok(());
    }
    Err(cx.forbidden(object, why))
}

fn lease(cx: &Asked<'_>, node: &str, object: &Value) -> Result<(), Status> {
    if cx.key.namespace != NODE_LEASES {
        let why = format!("can only access leases in the {NODE_LEASES:?} system namespace");
        return Err(cx.forbidden(object, why));
    }
    named(
        cx,
        node,
        object,
        "can only access node lease with the same name as the requesting node",
    )
}

fn slice(cx: &Asked<'_>, node: &str, object: &Value) -> Result<(), Status> {
    let (slice, what) = match cx.operation {
        Operation::Create => (object, "create"),
        Operation::Delete => (cx.old.unwrap_or(object), "delete"),
        _ => return Ok(()),
    };
    if slice.text("/spec/nodeName") == node {
        return Ok(());
    }
    let why = format!("can only {what} ResourceSlice with the same NodeName as the requesting node");
    Err(cx.forbidden(object, why))
}

fn certificate(cx: &Asked<'_>, node: &str, request: &Value) -> Result<(), Status> {
    let is_asked = cx.operation == Operation::Create && SIGNERS.contains(&request.text("/spec/signerName"));
    if !is_asked {
        return Ok(());
    }
    let wanted = format!("system:node:{node}");
    if warren_pki::requested_common_name(request.text("/spec/request")).as_deref() == Some(wanted.as_str()) {
        return Ok(());
    }
    Err(cx.forbidden(request, format!("can only create a node CSR with CN={wanted}")))
}

/// The status of a claim, and of that only what a kubelet finds out.
fn claim_status(cx: &Asked<'_>, node: &str, claim: &Value) -> Result<(), Status> {
    if cx.subresource != "status" {
        return Err(cx.forbidden(claim, "may only update PVC status"));
    }
    let Some(old) = cx.old.filter(|_| cx.operation == Operation::Update) else {
        let why = format!("unexpected operation {:?}", verb(cx.operation));
        return Err(cx.forbidden(claim, why));
    };
    let rest = |claim: &Value| {
        let mut rest = claim.clone();
        for field in [
            "/metadata/resourceVersion",
            "/metadata/managedFields",
            "/status/capacity",
            "/status/conditions",
            "/status/allocatedResourceStatuses",
            "/status/allocatedResources",
        ] {
            rest.take_at(field);
        }
        rest
    };
    if rest(old) == rest(claim) {
        return Ok(());
    }
    let why = format!(
        "node {node:?} is not allowed to update fields other than status.quantity and status.conditions"
    );
    Err(cx.forbidden(claim, why))
}
