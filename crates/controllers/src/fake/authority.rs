//! An `Authority` for tests that signs nothing.

use warren_apimachinery::ClusterId;

/// Certificates and tokens that say whose they are.
pub(crate) struct FakeAuthority;

impl crate::Authority for FakeAuthority {
    fn root_ca(&self, cluster: &ClusterId) -> Option<String> {
        Some(format!("PEM of {cluster}"))
    }

    fn secret_token(&self, _: &ClusterId, subject: &crate::TokenSubject<'_>) -> Option<String> {
        Some(format!("{}/{}", subject.namespace, subject.account))
    }

    fn sign(&self, _: &ClusterId, request: &crate::CertificateRequest<'_>) -> Result<String, String> {
        if request.pem.is_empty() {
            return Err("unable to parse csr".to_owned());
        }
        Ok(format!("signed {}", request.pem))
    }
}
