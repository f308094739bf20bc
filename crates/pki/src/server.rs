//! What rustls needs to serve a cluster.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

use crate::error::PkiError;
use crate::issued::Issued;

/// The process's one cryptography provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .clone()
}

/// Serves with `server`'s certificate over HTTP/2 and HTTP/1.1.
///
/// A client may present a certificate or none. As upstream, the handshake only proves that the client has its key;
/// whether the certificate means anything is for `Authority::verify_client`, so that a foreign or expired one is
/// answered 401 rather than with a broken connection. `hints` are the authorities that clients are told of (DER
/// names are taken from their certificates); none means any. Nothing is kept per session.
///
/// # Errors
/// When certificate or key cannot be read.
pub fn server_config(server: &Issued, hints: &[CertificateDer<'_>]) -> Result<ServerConfig, PkiError> {
    let chain = CertificateDer::pem_slice_iter(server.certificate_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| PkiError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).map_err(|_| PkiError::Certificate)?;
    let hints = hints.iter().filter_map(subject_of).collect();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(PkiError::Tls)?
        .with_client_cert_verifier(Arc::new(AnyClient {
            provider: provider(),
            hints,
        }))
        .with_single_cert(chain, key)
        .map_err(PkiError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn subject_of(certificate: &CertificateDer<'_>) -> Option<DistinguishedName> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(DistinguishedName::from(parsed.subject().as_raw().to_vec()))
}

/// Takes any client certificate whose key the client proves to have, or none.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    hints: Vec<DistinguishedName>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    use super::*;
    use crate::Authority;

    fn now() -> Timestamp {
        Timestamp::now()
    }

    fn client_config(authority: &Authority, issued: Option<&Issued>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match issued {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let chain = vec![CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }

    /// Shakes hands in memory; whom the authority then sees.
    fn check(authority: &Authority, name: &str, issued: Option<&Issued>, expect: Result<Option<&str>, ()>) {
        let server = authority
            .issue_server(&["kubernetes".into()], &[[127, 0, 0, 1].into()], now())
            .unwrap();
        let config = server_config(&server, &[authority.certificate().clone()]).unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let to = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(client_config(authority, issued)), to).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        let chain = server.peer_certificates().unwrap_or_default();
        let found = match chain {
            [] => Ok(None),
            chain => authority
                .verify_client(chain, now())
                .map(|client| Some(client.user().name.clone()))
                .map_err(|_| ()),
        };
        assert_eq!(found, expect.map(|name| name.map(str::to_owned)));
    }

    #[test]
    fn clients_shake_hands_with_a_certificate_without_one_and_with_a_foreign_one() {
        let authority = Authority::generate("ca", now()).unwrap();
        let foreign = Authority::generate("ca", now()).unwrap();
        let mine = authority.issue_client("jane", &[], now()).unwrap();
        let theirs = foreign.issue_client("jane", &[], now()).unwrap();
        check(&authority, "kubernetes", Some(&mine), Ok(Some("jane")));
        check(&authority, "127.0.0.1", None, Ok(None));
        check(&authority, "kubernetes", Some(&theirs), Err(()));
    }
}
