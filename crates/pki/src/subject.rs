//! Subjects with several organisations, as the groups of a Kubernetes user need them.
//!
//! rcgen keeps one value per attribute, so a certificate it made gets its subject replaced here and is signed
//! again.

use rcgen::{KeyPair, SigningKey};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::PkiError;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
/// 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x0a];

/// The DER of a name: organisations, then the common name.
pub(crate) fn subject(common_name: &str, organisations: &[String]) -> Vec<u8> {
    let attribute = |oid: &[u8], text: &str| {
        element(
            SET,
            &[&element(
                SEQUENCE,
                &[oid, &element(UTF8_STRING, &[text.as_bytes()])],
            )],
        )
    };
    let mut names: Vec<Vec<u8>> = organisations
        .iter()
        .map(|organisation| attribute(ORGANISATION, organisation))
        .collect();
    names.push(attribute(COMMON_NAME, common_name));
    element(SEQUENCE, &names.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// The certificate with another subject, signed by `key`, which must be its issuer's.
pub(crate) fn with_subject(certificate: &[u8], subject: &[u8], key: &KeyPair) -> Result<Vec<u8>, PkiError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| PkiError::Certificate)?;
    let tbs: &[u8] = parsed.tbs_certificate.as_ref();
    let old = parsed.tbs_certificate.subject.as_raw();
    let algorithm_and_signature = certificate_tail(certificate, tbs)?;
    let body = contents(tbs)?;
    // The subject is a slice of the body: its place follows from the addresses.
    let start = (old.as_ptr() as usize)
        .checked_sub(body.as_ptr() as usize)
        .ok_or(PkiError::Certificate)?;
    let before = body.get(..start).ok_or(PkiError::Certificate)?;
    let after = body.get(start + old.len()..).ok_or(PkiError::Certificate)?;
    let tbs = element(SEQUENCE, &[before, subject, after]);
    let signature = key.sign(&tbs).map_err(PkiError::Sign)?;
    let algorithm = first_element(algorithm_and_signature)?;
    Ok(element(
        SEQUENCE,
        &[&tbs, algorithm, &element(BIT_STRING, &[&[0], &signature])],
    ))
}

/// What follows the signed part: algorithm and signature.
fn certificate_tail<'a>(certificate: &'a [u8], tbs: &[u8]) -> Result<&'a [u8], PkiError> {
    contents(certificate)?
        .get(tbs.len()..)
        .ok_or(PkiError::Certificate)
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    let bytes = length.to_be_bytes();
    let significant = bytes
        .iter()
        .position(|byte| *byte != 0)
        .and_then(|at| bytes.get(at..))
        .unwrap_or(&[0]);
    if length >= 0x80 {
        out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
    }
    out.extend_from_slice(significant);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Where the contents of the first element start, and how long they are.
fn header(der: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*der.get(1)?);
    if first < 0x80 {
        return Some((2, first));
    }
    let count = first & 0x7f;
    let length = der
        .get(2..2 + count)?
        .iter()
        .fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
    Some((2 + count, length))
}

fn contents(der: &[u8]) -> Result<&[u8], PkiError> {
    header(der)
        .and_then(|(start, length)| der.get(start..start.checked_add(length)?))
        .ok_or(PkiError::Certificate)
}

fn first_element(der: &[u8]) -> Result<&[u8], PkiError> {
    header(der)
        .and_then(|(start, length)| der.get(..start.checked_add(length)?))
        .ok_or(PkiError::Certificate)
}
