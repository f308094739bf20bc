//! Requests for certificates. Who asks is filled in by admission; signing is a controller's.

mod conditions;
mod pem;
mod spec;

use jiff::Timestamp;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::time::human_duration;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use self::conditions::has;
use crate::check::Errors;
use crate::table::{age, columns, name, or_none};

/// The strategy of requests for certificates.
pub(crate) struct CertificateSigningRequest;

impl Strategy for CertificateSigningRequest {
    fn traits(&self) -> Traits {
        Traits {
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

    // A decision is shown as it was made; only making or taking back one is told of.
    fn prepare_for_status_update(&self, new: &mut Value, old: &Value) {
        conditions::preserve(new, old);
    }

    fn stamps_conditions(&self) -> bool {
        true
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        spec::check(&mut errors, object.field("spec"), &Value::Null);
        errors
    }

    fn validate_update(&self, _new: &Value, _old: &Value) -> Vec<Error> {
        // Neither specification nor status can be another one here.
        Vec::new()
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = whole(new, old);
        conditions::kept(&mut errors, new, old);
        conditions::not_decided(&mut errors, new, old);
        let before = old.text("/status/certificate");
        if !before.is_empty() && before != new.text("/status/certificate") {
            errors.push(Error::forbidden(
                &Path::new("status.certificate"),
                "updates may not modify existing certificate content",
            ));
        }
        errors
    }

    fn validate_subresource_update(&self, subresource: &str, new: &Value, old: &Value) -> Vec<Error> {
        if subresource != "approval" {
            return Vec::new();
        }
        let mut errors = whole(new, old);
        conditions::kept(&mut errors, new, old);
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

/// What holds for a request after any change of its status.
fn whole(new: &Value, old: &Value) -> Errors {
    let mut errors = Errors::new();
    spec::check(&mut errors, new.field("spec"), old.field("spec"));
    conditions::check(&mut errors, new, old);
    let (now, before) = (new.text("/status/certificate"), old.text("/status/certificate"));
    if now != before
        && pem::certificates(before).is_ok()
        && let Err(why) = pem::certificates(now)
    {
        errors.push(Error::invalid(
            &Path::new("status.certificate"),
            "<certificate data>",
            why,
        ));
    }
    errors
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An empty sequence in PEM.
    const REQUEST: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K";

    fn check(pointer: &str, value: Value, expected: &[&str]) {
        let mut object =
            json!({"spec": {"request": REQUEST, "signerName": "example.com/s", "usages": ["client auth"]}});
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
            json!({"spec": {"request": REQUEST, "signerName": "example.com/s", "usages": ["any"]},
                "status": {"conditions": conditions}})
        };
        let strategy = CertificateSigningRequest;
        let errors = strategy.validate_subresource_update(
            "approval",
            &decided(&["Approved", "Denied"]),
            &decided(&[]),
        );
        assert_eq!(
            errors[0].to_string(),
            "status.conditions: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive"
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
