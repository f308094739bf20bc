//! What rustls needs to speak to other servers.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::error::PkiError;
use crate::issued::Issued;
use crate::server::provider;
use crate::verifier::Verifier;

/// Speaks to servers that `authorities` (PEM) vouch for; the system's authorities when it is empty.
///
/// # Errors
/// When no authority can be read.
pub fn client_config(authorities: &str) -> Result<Arc<ClientConfig>, PkiError> {
    outgoing(Some(authorities), None)
}

/// The same, showing `identity` to servers that ask; without `authorities`, to servers of any certificate.
///
/// # Errors
/// When no authority or the identity cannot be read.
pub fn outgoing(authorities: Option<&str>, identity: Option<&Issued>) -> Result<Arc<ClientConfig>, PkiError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(PkiError::Tls)?;
    let builder = match authorities {
        Some(authorities) => builder
            .dangerous()
            .with_custom_certificate_verifier(Verifier::of(roots(authorities)?)?),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider()))),
    };
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| PkiError::Certificate)?;
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())
                .map_err(|_| PkiError::Certificate)?;
            builder.with_client_auth_cert(chain, key).map_err(PkiError::Tls)?
        }
    };
    Ok(Arc::new(config))
}

fn roots(authorities: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    match authorities.is_empty() {
        true => Ok(rustls_native_certs::load_native_certs().certs),
        false => CertificateDer::pem_slice_iter(authorities.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| PkiError::Certificate),
    }
}

/// Takes any certificate, but wants proof that the server has its key: `insecureSkipTLSVerify`.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
