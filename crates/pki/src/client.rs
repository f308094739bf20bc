//! Client certificates: whom they name, and whether an authority stands behind them.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest, Sha256};
use warren_apimachinery::UserInfo;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::Authority;
use crate::error::PkiError;
use crate::server::provider;

/// Whom a verified client certificate names. Only `Authority::verify_client` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    user: UserInfo,
    not_after: Timestamp,
}

impl ClientIdentity {
    /// Common name as user, organisations as groups; the certificate's hash as credential id.
    pub fn user(&self) -> &UserInfo {
        &self.user
    }

    /// Whether the certificate still holds: connections may outlive it.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now <= self.not_after
    }

    fn of(certificate: &[u8]) -> Result<Self, PkiError> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| PkiError::Certificate)?;
        let subject = parsed.subject();
        let text =
            |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().ok().map(str::to_owned);
        let digest: String = Sha256::digest(certificate)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            user: UserInfo {
                name: subject
                    .iter_common_name()
                    .last()
                    .and_then(text)
                    .unwrap_or_default(),
                groups: subject.iter_organization().filter_map(text).collect(),
                extra: [(
                    "authentication.kubernetes.io/credential-id".to_owned(),
                    vec![format!("X509SHA256={digest}")],
                )]
                .into(),
                ..UserInfo::default()
            },
            not_after: Timestamp::from_second(parsed.validity().not_after.timestamp())
                .map_err(|_| PkiError::Certificate)?,
        })
    }
}

impl Authority {
    /// Checks the chain that a client presented (its own certificate first) against this authority, and reads whom
    /// it names. Done once per connection, about 0.1 ms.
    ///
    /// # Errors
    /// `Untrusted` when the chain is foreign, expired or not for client authentication.
    pub fn verify_client(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<ClientIdentity, PkiError> {
        let (leaf, intermediates) = chain.split_first().ok_or(PkiError::Certificate)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate().clone()).map_err(PkiError::Tls)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| PkiError::Certificate)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        verifier
            .verify_client_cert(leaf, intermediates, at)
            .map_err(PkiError::Untrusted)?;
        ClientIdentity::of(leaf)
    }
}
