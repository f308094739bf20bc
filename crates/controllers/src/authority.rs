//! The port to the certificates and tokens of clusters: what controllers ask for, and who answers.

use std::time::Duration;

use jiff::Timestamp;
use warren_apimachinery::ClusterId;

/// Where the certificates and tokens of clusters come from; the fleet implements it over `pki`. Called from passes,
/// so it must answer without waiting.
pub trait Authority: Send + Sync + 'static {
    /// The CA certificates of a cluster's API server as PEM, for `kube-root-ca.crt`; `None` when the cluster is gone.
    fn root_ca(&self, cluster: &ClusterId) -> Option<String>;

    /// A token without expiry for a Secret of type `kubernetes.io/service-account-token`; `None` when the cluster is
    /// gone.
    fn secret_token(&self, cluster: &ClusterId, subject: &TokenSubject<'_>) -> Option<String>;

    /// Signs a certificate request with the cluster's CA; the certificate as PEM.
    ///
    /// # Errors
    /// Why the request cannot be signed, as its owner reads it.
    fn sign(&self, cluster: &ClusterId, request: &CertificateRequest<'_>) -> Result<String, String>;
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct CertificateRequest<'a> {
    /// The request, PEM.
    pub pem: &'a str,
    /// Such as `client auth`.
    pub usages: &'a [String],
    /// How long the certificate is to hold.
    pub duration: Duration,
    /// From when on.
    pub now: Timestamp,
}

/// For whom a token is and what it is bound to.
#[derive(Clone, Copy, Debug)]
pub struct TokenSubject<'a> {
    /// The namespace of service account and Secret.
    pub namespace: &'a str,
    /// The service account's name.
    pub account: &'a str,
    /// The service account's uid.
    pub account_uid: &'a str,
    /// The Secret's name.
    pub secret: &'a str,
    /// The Secret's uid: the token ends with it.
    pub secret_uid: &'a str,
}
