//! What a request asks for.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;

use super::pem;
use crate::check::{self, Errors};

const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
const SECONDS_MIN: i64 = 600;
const DOMAIN_MAX: usize = 253;
/// A domain, a slash, and a name in a namespace with a dot between them.
const SIGNER_MAX: usize = DOMAIN_MAX + 1 + (253 + 1 + 63);
const LEGACY: &str = "kubernetes.io/legacy-unknown";

/// Checks the specification; what was let in before (`old`) may stay.
pub(super) fn check(errors: &mut Errors, spec: &Value, old: &Value) {
    let path = Path::new("spec");
    if let Err(why) = pem::request(spec.text("/request")) {
        let request = spec.field("request").clone();
        errors.push(Error::invalid(&path.child("request"), request, why));
    }
    usages(errors, &path.child("usages"), spec.items("/usages"));
    let (signer_path, signer) = (path.child("signerName"), spec.text("/signerName"));
    if signer == LEGACY && old.text("/signerName") != LEGACY {
        errors.push(Error::invalid(
            &signer_path,
            signer,
            "the legacy signerName is not allowed via this API version",
        ));
    } else {
        self::signer(errors, &signer_path, signer);
    }
    if let Some(seconds) = spec
        .int("/expirationSeconds")
        .filter(|seconds| *seconds < SECONDS_MIN)
    {
        errors.push(Error::invalid(
            &path.child("expirationSeconds"),
            seconds,
            "may not specify a duration less than 600 seconds (10 minutes)",
        ));
    }
}

fn usages(errors: &mut Errors, path: &Path, usages: &[Value]) {
    if usages.is_empty() {
        errors.push(Error::required(path, ""));
    }
    let mut seen = Vec::new();
    for (at, usage) in usages.iter().enumerate() {
        let (path, usage) = (path.index(at), usage.as_str().unwrap_or_default());
        check::one_of(errors, &path, usage, USAGES);
    }
    for (at, usage) in usages.iter().enumerate() {
        let usage = usage.as_str().unwrap_or_default();
        if seen.contains(&usage) {
            errors.push(Error::duplicate(&path.index(at), usage));
        }
        seen.push(usage);
    }
}

fn signer(errors: &mut Errors, path: &Path, signer: &str) {
    if !check::required(errors, path, signer) {
        return;
    }
    let Some((domain, own)) = signer.split_once('/').filter(|(_, own)| !own.contains('/')) else {
        errors.push(Error::invalid(
            path,
            signer,
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        ));
        return;
    };
    if domain.len() > DOMAIN_MAX {
        errors.push(Error::too_long(path, DOMAIN_MAX));
    }
    labels(errors, path, domain, names::dns1123_label);
    if !domain.contains('.') {
        errors.push(Error::invalid(
            path,
            domain,
            "should be a domain with at least two segments separated by dots",
        ));
    }
    labels(errors, path, own, names::dns1123_subdomain);
    if signer.len() > SIGNER_MAX {
        errors.push(Error::too_long(path, SIGNER_MAX));
    }
}

/// What is wrong with the first bad label.
fn labels(errors: &mut Errors, path: &Path, text: &str, rule: fn(&str) -> Vec<String>) {
    let mut bad = text.split('.').map(|label| (label, rule(label)));
    if let Some((label, wrong)) = bad.find(|(_, wrong)| !wrong.is_empty()) {
        let wrong = wrong
            .iter()
            .map(|why| format!("validating label {label:?}: {why}"));
        check::text(errors, path, text, wrong);
    }
}
