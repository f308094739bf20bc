//! A cluster's certificate authority.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
    SubjectPublicKeyInfo, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::prelude::{FromDer, X509Name};

use crate::error::PkiError;
use crate::issued::{Issued, pem};
use crate::subject::{subject, with_subject};

/// Clocks of clients differ: certificates hold from a little before they were made.
const BACKDATE: u64 = 5 * 60;
const DAY: u64 = 24 * 60 * 60;
const AUTHORITY: u64 = 3650 * DAY;
const LEAF: u64 = 365 * DAY;
/// The end of the year 9999: X.509 cannot say more.
const LAST_SECOND: u64 = 253_402_300_799;

/// The certificate authority of one cluster: signs server and client certificates and signing requests.
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate signing request, as the certificates API hands it over.
#[derive(Clone, Copy, Debug)]
pub struct SigningRequest<'a> {
    /// `spec.request`, PEM.
    pub pem: &'a str,
    /// `spec.usages`, such as `client auth`.
    pub usages: &'a [String],
    /// How long the certificate holds.
    pub duration: Duration,
}

impl Authority {
    /// Makes a new authority that holds for ten years.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate.
    pub fn generate(common_name: &str, now: Timestamp) -> Result<Self, PkiError> {
        let key = new_key()?;
        let mut params = params(AUTHORITY, now);
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyCertSign,
        ];
        params.subject_alt_names = vec![dns(common_name)?];
        let certificate = params.self_signed(&key).map_err(PkiError::Sign)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Reads what `certificate_pem` and `key_pem` wrote.
    ///
    /// # Errors
    /// When either is malformed.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(key_pem).map_err(PkiError::Key)?;
        let certificate = first_certificate(certificate_pem)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(PkiError::Key)?;
        Ok(Self {
            certificate,
            certificate_pem: certificate_pem.to_owned(),
            issuer,
        })
    }

    /// The certificate that clients trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate as DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The private key, PKCS #8: a secret.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A server certificate for these names and addresses, which holds for a year.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue_server(&self, names: &[String], ips: &[IpAddr], now: Timestamp) -> Result<Issued, PkiError> {
        let mut params = params(LEAF, now);
        params.subject_alt_names = names
            .iter()
            .map(|name| dns(name))
            .chain(ips.iter().map(|ip| Ok(SanType::IpAddress(*ip))))
            .collect::<Result<_, _>>()?;
        self.issue(
            params,
            ExtendedKeyUsagePurpose::ServerAuth,
            &subject("kube-apiserver", &[]),
        )
    }

    /// A client certificate: `user` as common name, `groups` as organisations; it holds for a year.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue_client(&self, user: &str, groups: &[String], now: Timestamp) -> Result<Issued, PkiError> {
        self.issue(
            params(LEAF, now),
            ExtendedKeyUsagePurpose::ClientAuth,
            &subject(user, groups),
        )
    }

    /// Signs a request: subject, key and subject alternative names are those of the request, usages those of the
    /// API object. Never makes an authority. Usages that have no meaning in X.509 are left out.
    ///
    /// # Errors
    /// When the request is malformed or its signature does not hold.
    pub fn sign(&self, request: &SigningRequest<'_>, now: Timestamp) -> Result<String, PkiError> {
        let der = request_der(request.pem)?;
        let (_, wanted) = X509CertificationRequest::from_der(&der).map_err(|_| PkiError::Request)?;
        wanted.verify_signature().map_err(|_| PkiError::Request)?;
        let info = &wanted.certification_request_info;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw).map_err(PkiError::Key)?;
        let mut params = params(request.duration.as_secs(), now);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = request
            .usages
            .iter()
            .filter_map(|usage| key_usage(usage))
            .collect();
        params.extended_key_usages = request
            .usages
            .iter()
            .filter_map(|usage| extended_usage(usage))
            .collect();
        params.custom_extensions = alternative_names(&wanted).into_iter().collect();
        let certificate = params.signed_by(&key, &self.issuer).map_err(PkiError::Sign)?;
        let der = with_subject(certificate.der(), info.subject.as_raw(), self.issuer.key())?;
        Ok(pem("CERTIFICATE", &der))
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
        subject: &[u8],
    ) -> Result<Issued, PkiError> {
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![usage];
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(PkiError::Sign)?;
        let der = with_subject(certificate.der(), subject, self.issuer.key())?;
        Ok(Issued {
            certificate_pem: pem("CERTIFICATE", &der),
            key_pem: key.serialize_pem(),
        })
    }
}

pub(crate) fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Key)
}

pub(crate) fn first_certificate(pem: &str) -> Result<CertificateDer<'static>, PkiError> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| PkiError::Certificate)
}

fn request_der(pem: &str) -> Result<Vec<u8>, PkiError> {
    use rustls::pki_types::CertificateSigningRequestDer;
    use rustls::pki_types::pem::PemObject;
    CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
        .map(|der| der.as_ref().to_vec())
        .map_err(|_| PkiError::Request)
}

/// The organisations in the subject of a certificate signing request as the API carries it (base64 of PEM); none
/// when it cannot be read.
pub fn requested_organisations(request: &str) -> Vec<String> {
    let names = of_subject(request, |subject| {
        let names = subject.iter_organization();
        names
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect()
    });
    names.unwrap_or_default()
}

/// The common name in the subject of a certificate signing request as the API carries it (base64 of PEM).
pub fn requested_common_name(request: &str) -> Option<String> {
    let names: Vec<String> = of_subject(request, |subject| {
        let names = subject.iter_common_name();
        names
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect()
    })?;
    // Of several the last counts, as in Go.
    names.into_iter().last()
}

fn of_subject<T>(request: &str, read: impl FnOnce(&X509Name<'_>) -> T) -> Option<T> {
    use base64::Engine;
    let pem = base64::engine::general_purpose::STANDARD.decode(request).ok()?;
    let der = request_der(&String::from_utf8(pem).ok()?).ok()?;
    let (_, parsed) = X509CertificationRequest::from_der(&der).ok()?;
    Some(read(&parsed.certification_request_info.subject))
}

/// The `subjectAltName` extension that a request asks for, byte for byte.
fn alternative_names(request: &X509CertificationRequest<'_>) -> Option<CustomExtension> {
    const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];
    let asked = request
        .certification_request_info
        .iter_attributes()
        .find_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(asked) => Some(asked),
            _ => None,
        })?;
    let found = asked
        .extensions
        .iter()
        .find(|extension| extension.oid == x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME)?;
    Some(CustomExtension::from_oid_content(
        &SUBJECT_ALT_NAME,
        found.value.to_vec(),
    ))
}

/// Parameters that hold from a little before `now`, for `seconds`. The subject is put in afterwards.
fn params(seconds: u64, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // rcgen speaks in `time`'s types, which this crate needs nowhere else.
    let epoch = date_time_ymd(1970, 1, 1);
    let now = u64::try_from(now.as_second())
        .unwrap_or_default()
        .min(LAST_SECOND);
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(BACKDATE));
    params.not_after = epoch + Duration::from_secs(now.saturating_add(seconds).min(LAST_SECOND));
    // rcgen's own serial is a hash of the key, so one key certified twice would have it twice.
    params.serial_number = Some(SerialNumber::from_slice(&serial()));
    params.use_authority_key_identifier_extension = true;
    params
}

/// Positive and never shortened: the first byte is between 1 and 127.
fn serial() -> [u8; 16] {
    let mut serial = *uuid::Uuid::new_v4().as_bytes();
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    serial
}

fn dns(name: &str) -> Result<SanType, PkiError> {
    Ok(SanType::DnsName(name.try_into().map_err(PkiError::Name)?))
}

/// `spec.usages` of the certificates API that are key usages.
fn key_usage(usage: &str) -> Option<KeyUsagePurpose> {
    Some(match usage {
        "signing" | "digital signature" => KeyUsagePurpose::DigitalSignature,
        "content commitment" => KeyUsagePurpose::ContentCommitment,
        "key encipherment" => KeyUsagePurpose::KeyEncipherment,
        "key agreement" => KeyUsagePurpose::KeyAgreement,
        "data encipherment" => KeyUsagePurpose::DataEncipherment,
        "encipher only" => KeyUsagePurpose::EncipherOnly,
        "decipher only" => KeyUsagePurpose::DecipherOnly,
        _ => return None,
    })
}

/// `spec.usages` of the certificates API that are extended key usages.
fn extended_usage(usage: &str) -> Option<ExtendedKeyUsagePurpose> {
    Some(match usage {
        "any" => ExtendedKeyUsagePurpose::Any,
        "server auth" => ExtendedKeyUsagePurpose::ServerAuth,
        "client auth" => ExtendedKeyUsagePurpose::ClientAuth,
        "code signing" => ExtendedKeyUsagePurpose::CodeSigning,
        "email protection" | "s/mime" => ExtendedKeyUsagePurpose::EmailProtection,
        "timestamping" => ExtendedKeyUsagePurpose::TimeStamping,
        "ocsp signing" => ExtendedKeyUsagePurpose::OcspSigning,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::{ClientIdentity, TokenSigner, server_config};

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn later(days: i64) -> Timestamp {
        Timestamp::from_second(now().as_second() + days * 86_400).unwrap()
    }

    fn verify(authority: &Authority, pem: &str, at: Timestamp) -> Result<ClientIdentity, PkiError> {
        let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
        authority.verify_client(&chain, at)
    }

    #[test]
    fn a_client_certificate_names_its_user_and_all_its_groups() {
        let authority = Authority::generate("test-ca", now()).unwrap();
        let groups = vec!["system:masters".to_owned(), "b".to_owned(), "c".to_owned()];
        let issued = authority.issue_client("jane", &groups, now()).unwrap();
        let identity = verify(&authority, &issued.certificate_pem, now()).unwrap();
        assert_eq!(identity.user().name, "jane");
        assert_eq!(identity.user().groups, groups);
        assert!(identity.holds_at(later(364)) && !identity.holds_at(later(366)));
    }

    #[test]
    fn expired_foreign_and_server_certificates_are_not_clients() {
        let authority = Authority::generate("test-ca", now()).unwrap();
        let foreign = Authority::generate("test-ca", now()).unwrap();
        let client = authority
            .issue_client("jane", &[], now())
            .unwrap()
            .certificate_pem;
        let server = authority
            .issue_server(&["a".into()], &[], now())
            .unwrap()
            .certificate_pem;
        assert!(verify(&authority, &client, later(400)).is_err());
        assert!(verify(&foreign, &client, now()).is_err());
        assert!(verify(&authority, &server, now()).is_err());
    }

    #[test]
    fn an_authority_survives_its_pem() {
        let authority = Authority::generate("test-ca", now()).unwrap();
        let again = Authority::from_pem(authority.certificate_pem(), &authority.key_pem()).unwrap();
        let issued = again.issue_client("jane", &[], now()).unwrap();
        assert!(verify(&authority, &issued.certificate_pem, now()).is_ok());
    }

    #[test]
    fn a_signing_request_keeps_subject_and_names() {
        let authority = Authority::generate("test-ca", now()).unwrap();
        let key = new_key().unwrap();
        let mut params = CertificateParams::new(vec!["node.local".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "system:nodes");
        params
            .distinguished_name
            .push(DnType::CommonName, "system:node:a");
        let request = params.serialize_request(&key).unwrap().pem().unwrap();
        let usages = ["client auth".to_owned(), "digital signature".to_owned()];
        let signing = SigningRequest {
            pem: &request,
            usages: &usages,
            duration: Duration::from_secs(3600),
        };
        let pem = authority.sign(&signing, now()).unwrap();
        let identity = verify(&authority, &pem, now()).unwrap();
        assert_eq!(
            (identity.user().name.as_str(), identity.user().groups.len()),
            ("system:node:a", 1)
        );
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert!(parsed.subject_alternative_name().unwrap().is_some());
        assert!(
            authority
                .sign(
                    &SigningRequest {
                        pem: "nonsense",
                        ..signing
                    },
                    now()
                )
                .is_err()
        );
    }

    #[test]
    fn everything_of_a_cluster_is_made_within_a_few_milliseconds() {
        let start = Instant::now();
        let authority = Authority::generate("test-ca", now()).unwrap();
        let server = authority
            .issue_server(&["kubernetes".into()], &[[127, 0, 0, 1].into()], now())
            .unwrap();
        authority
            .issue_client("admin", &["system:masters".into()], now())
            .unwrap();
        TokenSigner::generate().unwrap();
        let took = start.elapsed();
        server_config(&server, &[authority.certificate().clone()]).unwrap();
        eprintln!("made in {took:?}");
        // The bound is wide: this is a debug build on a busy machine.
        assert!(took.as_millis() < 250, "{took:?}");
    }
}
