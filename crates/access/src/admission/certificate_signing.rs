//! CertificateSigning and CertificateSubjectRestriction: who asks for a certificate stands in the request, who
//! signs must be allowed to, and nobody asks for `system:masters`.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;
use super::certificate_approval::{GROUP, REQUESTS, may};

const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

fn is_request(cx: &Asked<'_>, operation: Operation, subresource: &str) -> bool {
    cx.operation == operation
        && cx.subresource == subresource
        && cx.resource.group == GROUP
        && cx.resource.resource == REQUESTS
}

/// Upstream's strategy does this; ours does not know the user.
pub(super) fn mutate(cx: &Asked<'_>, request: &mut Value) -> Result<(), Status> {
    if !is_request(cx, Operation::Create, "") {
        return Ok(());
    }
    for field in ["/spec/username", "/spec/uid", "/spec/groups", "/spec/extra"] {
        request.take_at(field);
    }
    request.set("/spec/username", cx.user.name.as_str());
    if !cx.user.uid.is_empty() {
        request.set("/spec/uid", cx.user.uid.as_str());
    }
    if !cx.user.groups.is_empty() {
        request.set("/spec/groups", json!(cx.user.groups));
    }
    if !cx.user.extra.is_empty() {
        request.set("/spec/extra", json!(cx.user.extra));
    }
    Ok(())
}

/// CertificateSubjectRestriction.
pub(super) fn validate_subject(cx: &Asked<'_>, request: Option<&Value>) -> Result<(), Status> {
    let is_asked = |request: &&Value| {
        is_request(cx, Operation::Create, "") && request.text("/spec/signerName") == CLIENT_SIGNER
    };
    let Some(request) = request.filter(is_asked) else {
        return Ok(());
    };
    let groups = warren_pki::requested_organisations(request.text("/spec/request"));
    if !groups.iter().any(|group| group == warren_rbac::MASTERS) {
        return Ok(());
    }
    let why = format!(
        "use of {CLIENT_SIGNER} signer with {} group is not allowed",
        warren_rbac::MASTERS
    );
    Err(cx.forbidden(request, why))
}

pub(super) fn validate(cx: &Asked<'_>, request: Option<&Value>) -> Result<(), Status> {
    let Some(request) = request else { return Ok(()) };
    let signs = is_request(cx, Operation::Update, "status")
        && cx.old.is_some_and(|old| {
            ["/status/certificate", "/status/conditions"]
                .iter()
                .any(|field| old.at(field) != request.at(field))
        });
    let signer = cx.old.unwrap_or(request).text("/spec/signerName");
    if signs && !may(cx, "sign", signer) {
        let why = format!("user not permitted to sign requests with signerName {signer:?}");
        return Err(cx.forbidden(request, why));
    }
    Ok(())
}
