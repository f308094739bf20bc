//! CertificateApproval: who approves a request must be allowed to, signer by signer.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;
use warren_rbac::Attributes;
use warren_registry::admission::Operation;

use super::Asked;
use crate::authorization::decide;

pub(super) const GROUP: &str = "certificates.k8s.io";
pub(super) const REQUESTS: &str = "certificatesigningrequests";

pub(super) fn validate(cx: &Asked<'_>, request: Option<&Value>) -> Result<(), Status> {
    let is_approval = cx.operation == Operation::Update
        && cx.subresource == "approval"
        && cx.resource.group == GROUP
        && cx.resource.resource == REQUESTS;
    let Some(request) = request.filter(|_| is_approval) else {
        return Ok(());
    };
    let signer = cx.old.unwrap_or(request).text("/spec/signerName");
    if may(cx, "approve", signer) {
        return Ok(());
    }
    let why = format!("user not permitted to approve requests with signerName {signer:?}");
    Err(cx.forbidden(request, why))
}

/// Whether the user has this verb for the signer, or for all of its domain.
pub(super) fn may(cx: &Asked<'_>, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    [signer.to_owned(), format!("{domain}/*")].iter().any(|name| {
        let asked = Attributes {
            verb,
            group: GROUP,
            version: "*",
            resource: "signers",
            name,
            ..Attributes::default()
        };
        decide(cx.guard, cx.cluster, cx.user, &asked).allowed()
    })
}
