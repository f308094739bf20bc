//! Whether a server's certificate is good, and in the words of Go's `x509` why it is not: what clients of the API know.
//!
//! Also takes, as Go does, a certificate that is itself among the authorities, whatever it says it may be used for: many
//! webhooks serve by the certificate that their `caBundle` holds.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::error::PkiError;
use crate::server::provider;

/// See the module.
#[derive(Debug)]
pub(crate) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// Of these authorities.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn of(authorities: Vec<CertificateDer<'static>>) -> Result<Arc<Self>, PkiError> {
        let mut roots = RootCertStore::empty();
        if roots.add_parsable_certificates(authorities.iter().cloned()).0 == 0 {
            return Err(PkiError::Certificate);
        }
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let inner = inner.build().map_err(|_| PkiError::Certificate)?;
        Ok(Arc::new(Self { inner, authorities }))
    }

    /// Why Go refuses the certificate; `None` where it has nothing against it but who signed it.
    fn own_fault(certificate: &X509Certificate<'_>, name: &ServerName<'_>, now: UnixTime) -> Option<String> {
        wrong_time(certificate, now).or_else(|| wrong_name(certificate, name))
    }

    fn unknown_authority(&self, last: &X509Certificate<'_>) -> String {
        let unknown = "x509: certificate signed by unknown authority";
        let parsed = self.authorities.iter();
        let mut parsed = parsed.filter_map(|der| Some(X509Certificate::from_der(der).ok()?.1));
        let Some(candidate) = parsed.find(|authority| authority.subject() == last.issuer()) else {
            return unknown.to_owned();
        };
        let why = match candidate.public_key().parsed() {
            Ok(PublicKey::RSA(_)) => "crypto/rsa: verification error",
            Ok(PublicKey::EC(_)) => "x509: ECDSA verification failure",
            _ => "x509: Ed25519 verification failure",
        };
        let subject = candidate.subject();
        let names = subject.iter_common_name().chain(subject.iter_organization());
        let name = names.filter_map(|name| name.as_str().ok()).next();
        let name = name.map_or_else(|| format!("serial:{}", candidate.serial), str::to_owned);
        format!(
            "{unknown} (possibly because of {why:?} while trying to verify candidate authority certificate {name:?})"
        )
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self
            .inner
            .verify_server_cert(end_entity, intermediates, name, ocsp, now);
        let Err(error) = verdict else { return verdict };
        let Ok((_, certificate)) = X509Certificate::from_der(end_entity) else {
            return Err(error);
        };
        if let Some(why) = Self::own_fault(&certificate, name, now) {
            return Err(words(why));
        }
        if self.authorities.iter().any(|authority| authority == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_),
        ) = &error
        else {
            return Err(error);
        };
        let last = intermediates
            .last()
            .and_then(|der| Some(X509Certificate::from_der(der).ok()?.1));
        Err(words(
            self.unknown_authority(last.as_ref().unwrap_or(&certificate)),
        ))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What Go says of a certificate.
#[derive(Debug)]
struct Words(String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

fn words(why: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Words(why)))))
}

fn wrong_time(certificate: &X509Certificate<'_>, now: UnixTime) -> Option<String> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    let (before, after) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let (relation, limit) = match now {
        now if now < before => ("before", before),
        now if now > after => ("after", after),
        _ => return None,
    };
    Some(format!(
        "x509: certificate has expired or is not yet valid: current time {} is {relation} {}",
        instant(now),
        instant(limit)
    ))
}

fn instant(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn wrong_name(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let has_names = names.is_some();
    let names = names
        .map(|names| names.value.general_names.as_slice())
        .unwrap_or_default();
    let dns = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let dns: Vec<String> = dns.collect();
    let addresses: Vec<IpAddr> = names.iter().filter_map(address).collect();
    let (host, valid) = match name {
        ServerName::IpAddress(address) => {
            let host = IpAddr::from(*address);
            if addresses.contains(&host) {
                return None;
            }
            if addresses.is_empty() {
                return Some(format!(
                    "x509: cannot validate certificate for {host} because it doesn't contain any IP SANs"
                ));
            }
            let valid: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            (host.to_string(), valid)
        }
        name => (name.to_str().into_owned(), dns),
    };
    if valid.iter().any(|pattern| matches(pattern, &host)) {
        return None;
    }
    let common = || {
        certificate
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok())
    };
    if !has_names && common().any(|common| matches(common, &host)) {
        return Some("x509: certificate relies on legacy Common Name field, use SANs instead".to_owned());
    }
    if valid.is_empty() {
        return Some(format!(
            "x509: certificate is not valid for any names, but wanted to match {host}"
        ));
    }
    Some(format!(
        "x509: certificate is valid for {}, not {host}",
        valid.join(", ")
    ))
}

fn address(name: &GeneralName<'_>) -> Option<IpAddr> {
    let GeneralName::IPAddress(bytes) = name else {
        return None;
    };
    let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
        .ok()
}

/// A star stands for the whole of the first label.
fn matches(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let behind = |text: &str| text.split_once('.').map(|(_, rest)| rest.to_ascii_lowercase());
    pattern.starts_with("*.") && behind(pattern) == behind(host) && behind(host).is_some()
}
