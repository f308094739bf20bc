//! The certificates.k8s.io group.

mod certificate_signing_request;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "certificatesigningrequests" => Arc::new(certificate_signing_request::CertificateSigningRequest),
        _ => return None,
    })
}
