//! The issuer of a configuration: where it is, whom its tokens are for.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::configuration::{IssuerConfiguration, refuse_unknown};

const FIELDS: [&str; 6] = [
    "url",
    "discoveryURL",
    "certificateAuthority",
    "audiences",
    "audienceMatchPolicy",
    "egressSelectorType",
];
/// Upstream lets structured configuration choose no algorithms: all that it knows hold.
const ALGORITHMS: [&str; 8] = [
    "RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512",
];

/// Reads and checks it; rules and mappings are not its own.
///
/// # Errors
/// A field that upstream does not know.
pub(super) fn read(
    errors: &mut Vec<Error>,
    value: &Value,
    path: &Path,
) -> Result<IssuerConfiguration, String> {
    refuse_unknown(value, path.as_str(), &FIELDS)?;
    let (own, discovery) = (value.text("/url"), value.text("/discoveryURL"));
    if own.is_empty() {
        errors.push(Error::required(&path.child("url"), ""));
    } else {
        url(errors, own, &path.child("url"));
    }
    if !discovery.is_empty() {
        let path = path.child("discoveryURL");
        if !own.is_empty() && own.trim_end_matches('/') == discovery.trim_end_matches('/') {
            errors.push(Error::invalid(
                &path,
                discovery,
                "discoveryURL must be different from URL",
            ));
        }
        url(errors, discovery, &path);
    }
    let audiences: Vec<String> = value
        .items("/audiences")
        .iter()
        .map(|audience| audience.as_str().unwrap_or_default().to_owned())
        .collect();
    check_audiences(errors, &audiences, value.text("/audienceMatchPolicy"), path);
    let authority = value.text("/certificateAuthority");
    let is_authority = CertificateDer::pem_slice_iter(authority.as_bytes()).any(|found| found.is_ok());
    if !authority.is_empty() && !is_authority {
        let why = "data does not contain any valid RSA or ECDSA certificates";
        errors.push(Error::invalid(
            &path.child("certificateAuthority"),
            "<omitted>",
            why,
        ));
    }
    let egress = value.text("/egressSelectorType");
    if !matches!(egress, "" | "controlplane" | "cluster") {
        let why = "egress selector must be either controlplane or cluster";
        errors.push(Error::invalid(&path.child("egressSelectorType"), egress, why));
    }
    Ok(IssuerConfiguration {
        url: own.to_owned(),
        discovery_url: discovery.to_owned(),
        certificate_authority: authority.to_owned(),
        audiences,
        algorithms: ALGORITHMS.map(str::to_owned).to_vec(),
        ..IssuerConfiguration::default()
    })
}

fn url(errors: &mut Vec<Error>, text: &str, path: &Path) {
    let mut refuse = |why: &str| errors.push(Error::invalid(path, text, why));
    if text.starts_with(':') {
        return refuse(&format!("parse {text:?}: missing protocol scheme"));
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once("://").unwrap_or(("", rest));
    if !scheme.eq_ignore_ascii_case("https") {
        refuse("URL scheme must be https");
    }
    if rest
        .split('/')
        .next()
        .is_some_and(|authority| authority.contains('@'))
    {
        refuse("URL must not contain a username or password");
    }
    if !query.is_empty() {
        refuse("URL must not contain a query");
    }
    if !fragment.is_empty() {
        refuse("URL must not contain a fragment");
    }
}

fn check_audiences(errors: &mut Vec<Error>, audiences: &[String], policy: &str, path: &Path) {
    const ANY: &str = "MatchAny";
    let at = path.child("audiences");
    if audiences.is_empty() {
        let why = format!("at least one {} is required", at.as_str());
        return errors.push(Error::required(&at, why));
    }
    for (place, audience) in audiences.iter().enumerate() {
        let path = at.index(place);
        if audience.is_empty() {
            errors.push(Error::required(&path, ""));
        }
        if audiences.iter().take(place).any(|other| other == audience) {
            errors.push(Error::duplicate(&path, audience.as_str()));
        }
    }
    let path = path.child("audienceMatchPolicy");
    if audiences.len() > 1 && policy != ANY {
        let why = "audienceMatchPolicy must be MatchAny for multiple audiences";
        errors.push(Error::invalid(&path, policy, why));
    }
    if audiences.len() == 1 && !matches!(policy, "" | ANY) {
        let why = "audienceMatchPolicy must be empty or MatchAny for single audience";
        errors.push(Error::invalid(&path, policy, why));
    }
}
