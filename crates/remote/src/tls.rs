//! TLS as a kubeconfig wants it, for those who bring an HTTP client of their own.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::endpoint::Endpoint;
use crate::error::RemoteError;

impl Endpoint {
    /// The client side of TLS, offering one version of HTTP: `http/1.1` or `h2`.
    ///
    /// # Errors
    /// `NoKubeconfig` when a certificate or key cannot be read, or no authority is named.
    pub fn tls(&self, protocol: &str) -> Result<Arc<ClientConfig>, RemoteError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(no_tls)?;
        let builder = if self.insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match &self.identity_pem {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(no_pem)?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, key)
                    .map_err(no_tls)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, RemoteError> {
        let pem = self.authority_pem.as_deref().unwrap_or_default();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots.add(certificate).map_err(no_tls)?;
        }
        if roots.is_empty() {
            let why = "it holds no certificate of an authority";
            return Err(RemoteError::NoKubeconfig(why.to_owned()));
        }
        Ok(roots)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(no_pem)
}

fn no_pem(error: pem::Error) -> RemoteError {
    RemoteError::NoKubeconfig(format!("a certificate or key cannot be read: {error}"))
}

fn no_tls(error: rustls::Error) -> RemoteError {
    RemoteError::NoKubeconfig(format!("its certificates cannot be used: {error}"))
}

/// Takes any server for the right one: for `insecure-skip-tls-verify`, and for a process of our own that has not yet
/// told its authority.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
