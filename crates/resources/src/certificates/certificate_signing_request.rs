//! Requests for certificates. Who asks is filled in by admission; signing is a controller's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::time::human_duration;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name, or_none};

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

/// The strategy of requests for certificates.
pub(crate) struct CertificateSigningRequest;

impl Strategy for CertificateSigningRequest {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            name: NameRule::PathSegment,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        new.set("/spec", old.field("spec").clone());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        if let Err(why) = is_request(spec.text("/request")) {
            errors.push(Error::invalid(
                &path.child("request"),
                spec.field("request").clone(),
                why,
            ));
        }
        usages(&mut errors, &path.child("usages"), spec.items("/usages"));
        signer(&mut errors, &path.child("signerName"), spec.text("/signerName"));
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
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        conditions(&mut errors, new);
        kept(&mut errors, new, old);
        let path = Path::new("status.conditions");
        for kind in ["Approved", "Denied"] {
            let what = match (of_kind(new, kind), of_kind(old, kind)) {
                (Some(_), None) => "add",
                (Some(now), Some(before)) if !check::same(now, before) => "modify",
                _ => continue,
            };
            errors.push(Error::forbidden(
                &path,
                format!("updates may not {what} a condition of type {kind:?}"),
            ));
        }
        let before = old.at("/status/certificate");
        if !check::same(before, &Value::Null) && before != new.at("/status/certificate") {
            errors.push(Error::forbidden(
                &Path::new("status.certificate"),
                "updates may not modify existing certificate content",
            ));
        }
        errors
    }

    fn validate_subresource_update(&self, subresource: &str, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        if subresource == "approval" {
            conditions(&mut errors, new);
            kept(&mut errors, new, old);
        }
        errors
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        Box::new([("spec.signerName".into(), object.text("/spec/signerName").into())])
    }

    fn columns(&self) -> &'static [Column] {
        columns("certificatesigningrequests.certificates.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let seconds = object.int("/spec/expirationSeconds");
        let duration = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = duration.map(|seconds| human_duration(std::time::Duration::from_secs(seconds)));
        vec![
            name(object),
            age(object, now),
            or_none(object.text("/spec/signerName")),
            object.text("/spec/username").into(),
            or_none(duration.as_deref().unwrap_or_default()),
            state(object).into(),
        ]
    }
}

fn of_kind<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut conditions = object.items("/status/conditions").iter();
    conditions.find(|condition| condition.text("/type") == kind)
}

fn has(object: &Value, kind: &str) -> bool {
    of_kind(object, kind).is_some()
}

/// What was decided stays.
fn kept(errors: &mut Errors, new: &Value, old: &Value) {
    for kind in ["Approved", "Denied", "Failed"] {
        if has(old, kind) && !has(new, kind) {
            errors.push(Error::forbidden(
                &Path::new("status.conditions"),
                format!("updates may not remove a condition of type {kind:?}"),
            ));
        }
    }
}

fn state(object: &Value) -> String {
    let mut state = if has(object, "Denied") {
        "Denied"
    } else if has(object, "Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has(object, "Failed") {
        state.push_str(",Failed");
    }
    if !object.text("/status/certificate").is_empty() {
        state.push_str(",Issued");
    }
    state
}

/// Whether the bytes are a request in PEM; its signature is looked at by who signs.
fn is_request(base64: &str) -> Result<(), &'static str> {
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("-----BEGIN CERTIFICATE REQUEST-----")
        && text.contains("-----END CERTIFICATE REQUEST-----")
    {
        Ok(())
    } else {
        Err("PEM block type must be CERTIFICATE REQUEST")
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
        if seen.contains(&usage) {
            errors.push(Error::duplicate(&path, usage));
        }
        seen.push(usage);
    }
}

fn signer(errors: &mut Errors, path: &Path, signer: &str) {
    if signer == "kubernetes.io/legacy-unknown" {
        errors.push(Error::invalid(
            path,
            signer,
            "the legacy signerName is not allowed via this API version",
        ));
        return;
    }
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
    for label in domain.split('.') {
        for why in names::dns1123_label(label) {
            errors.push(Error::invalid(
                path,
                domain,
                format!("validating label {label:?}: {why}"),
            ));
        }
    }
    if !domain.contains('.') {
        errors.push(Error::invalid(
            path,
            domain,
            "should be a domain with at least two segments separated by dots",
        ));
    }
    for label in own.split('.') {
        for why in names::dns1123_subdomain(label) {
            errors.push(Error::invalid(
                path,
                own,
                format!("validating label {label:?}: {why}"),
            ));
        }
    }
}

fn conditions(errors: &mut Errors, object: &Value) {
    let path = Path::new("status.conditions");
    let mut seen = Vec::new();
    for (at, condition) in object.items("/status/conditions").iter().enumerate() {
        let path = path.index(at);
        let (kind, status) = (condition.text("/type"), condition.text("/status"));
        check::required(errors, &path.child("type"), kind);
        let supported: &[&str] = if matches!(kind, "Approved" | "Denied" | "Failed") {
            &["True"]
        } else {
            &["False", "True", "Unknown"]
        };
        check::required_one_of(errors, &path.child("status"), status, supported);
        let opposite = match kind {
            "Approved" => Some("Denied"),
            "Denied" => Some("Approved"),
            _ => None,
        };
        if opposite.is_some_and(|opposite| seen.contains(&opposite)) {
            errors.push(Error::invalid(
                &path.child("type"),
                kind,
                "Approved and Denied conditions are mutually exclusive",
            ));
        }
        if seen.contains(&kind) {
            errors.push(Error::duplicate(&path.child("type"), kind));
        }
        seen.push(kind);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(pointer: &str, value: Value, expected: &[&str]) {
        let request =
            STANDARD.encode("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n");
        let mut object =
            json!({"spec": {"request": request, "signerName": "example.com/s", "usages": ["client auth"]}});
        object.set(pointer, value);
        let errors = CertificateSigningRequest.validate(&object);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{pointer}");
    }

    #[test]
    fn what_users_get_wrong_is_told_in_upstreams_words() {
        check("/spec/expirationSeconds", 3600.into(), &[]);
        check(
            "/spec/expirationSeconds",
            60.into(),
            &[
                "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)",
            ],
        );
        check("/spec/usages", json!([]), &["spec.usages: Required value"]);
        check(
            "/spec/signerName",
            "signer".into(),
            &[
                "spec.signerName: Invalid value: \"signer\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
            ],
        );
        check(
            "/spec/signerName",
            "kubernetes.io/legacy-unknown".into(),
            &[
                "spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
            ],
        );
        check(
            "/spec/request",
            "eA==".into(),
            &["spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST"],
        );
    }

    #[test]
    fn a_decision_stays_and_is_one() {
        let decided = |kinds: &[&str]| {
            let conditions: Vec<Value> = kinds
                .iter()
                .map(|kind| json!({"type": kind, "status": "True"}))
                .collect();
            json!({"status": {"conditions": conditions}})
        };
        let strategy = CertificateSigningRequest;
        let errors = strategy.validate_subresource_update(
            "approval",
            &decided(&["Approved", "Denied"]),
            &decided(&[]),
        );
        assert_eq!(
            errors[0].to_string(),
            "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive"
        );
        let errors = strategy.validate_subresource_update("approval", &decided(&[]), &decided(&["Approved"]));
        assert_eq!(
            errors[0].to_string(),
            "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\""
        );
        assert_eq!(state(&decided(&["Approved", "Failed"])), "Approved,Failed");
        assert_eq!(state(&decided(&[])), "Pending");
    }
}
