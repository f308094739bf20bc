//! Configurations of mutating and validating webhooks.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_cel::AdmissionVariables;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::Kind;
use super::rules::{self, optional_one_of};
use crate::check::{self, Errors};
use crate::table::{age, columns, name};
use crate::webhook_client::{client, review_versions};

const TIMEOUTS: std::ops::RangeInclusive<i64> = 1..=30;

/// The strategy of webhook configurations.
pub(crate) struct WebhookConfiguration(pub(super) Kind);

impl Strategy for WebhookConfiguration {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let mut seen = Vec::new();
        for (at, hook) in object.items("/webhooks").iter().enumerate() {
            let path = Path::new("webhooks").index(at);
            webhook(&mut errors, &path, hook, self.0);
            review_versions(
                &mut errors,
                &path.child("admissionReviewVersions"),
                hook.items("/admissionReviewVersions"),
                "must specify one of v1, v1beta1",
            );
            let own_name = hook.text("/name");
            if !own_name.is_empty() && seen.contains(&own_name) {
                errors.push(Error::duplicate(&path.child("name"), own_name));
            }
            seen.push(own_name);
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns(match self.0 {
            Kind::Mutating => "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            Kind::Validating => "validatingwebhookconfigurations.admissionregistration.k8s.io",
        })
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.items("/webhooks").len().into(),
            age(object, now),
        ]
    }
}

fn webhook(errors: &mut Errors, path: &Path, hook: &Value, kind: Kind) {
    full_name(errors, &path.child("name"), hook.text("/name"));
    for (at, rule) in hook.items("/rules").iter().enumerate() {
        rules::rule(errors, &path.child("rules").index(at), rule);
    }
    for (field, supported) in [
        ("failurePolicy", rules::FAILURE_POLICIES),
        ("matchPolicy", rules::MATCH_POLICIES),
    ] {
        optional_one_of(errors, &path.child(field), hook.field(field), supported);
    }
    let effects_path = path.child("sideEffects");
    match hook.field("sideEffects").as_str() {
        None => errors.push(Error::required(
            &effects_path,
            "must specify one of None, NoneOnDryRun",
        )),
        Some(effects) => check::one_of(errors, &effects_path, effects, &["None", "NoneOnDryRun"]),
    }
    if let Some(seconds) = hook
        .int("/timeoutSeconds")
        .filter(|seconds| !TIMEOUTS.contains(seconds))
    {
        errors.push(Error::invalid(
            &path.child("timeoutSeconds"),
            seconds,
            "the timeout value must be between 1 and 30 seconds",
        ));
    }
    for field in ["namespaceSelector", "objectSelector"] {
        check::label_selector(errors, &path.child(field), hook.field(field));
    }
    if kind == Kind::Mutating {
        let field = "reinvocationPolicy";
        optional_one_of(
            errors,
            &path.child(field),
            hook.field(field),
            &["IfNeeded", "Never"],
        );
    }
    client(errors, &path.child("clientConfig"), hook.field("clientConfig"));
    rules::match_conditions(
        errors,
        &path.child("matchConditions"),
        hook.items("/matchConditions"),
        AdmissionVariables {
            params: false,
            authorizer: true,
        },
    );
}

/// A domain of at least three labels.
fn full_name(errors: &mut Errors, path: &Path, text: &str) {
    if !check::required(errors, path, text) {
        return;
    }
    let wrong = names::dns1123_subdomain(text);
    if !wrong.is_empty() {
        errors.push(Error::invalid(path, text, wrong.join(",")));
    } else if text.split('.').count() < 3 {
        errors.push(Error::invalid(
            path,
            text,
            "should be a domain with at least three segments separated by dots",
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(pointer: &str, value: Value, expected: &[&str]) {
        let mut hook = json!({"name": "a.b.c", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"url": "https://a.b"}});
        hook.set(pointer, value);
        let errors = WebhookConfiguration(Kind::Mutating).validate(&json!({"webhooks": [hook]}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{pointer}");
    }

    #[test]
    fn what_users_get_wrong_is_told_in_upstreams_words() {
        check("/timeoutSeconds", 5.into(), &[]);
        check(
            "/name",
            "hook".into(),
            &[
                "webhooks[0].name: Invalid value: \"hook\": should be a domain with at least three segments separated by dots",
            ],
        );
        check(
            "/sideEffects",
            Value::Null,
            &["webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"],
        );
        check(
            "/sideEffects",
            "Some".into(),
            &[
                "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
            ],
        );
        check(
            "/timeoutSeconds",
            31.into(),
            &[
                "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
            ],
        );
        check(
            "/admissionReviewVersions",
            json!(["v2"]),
            &[
                "webhooks[0].admissionReviewVersions: Invalid value: [\"v2\"]: must include at least one of v1, v1beta1",
            ],
        );
        check(
            "/reinvocationPolicy",
            "Always".into(),
            &[
                "webhooks[0].reinvocationPolicy: Unsupported value: \"Always\": supported values: \"IfNeeded\", \"Never\"",
            ],
        );
        check(
            "/matchConditions",
            json!([{"name": "a", "expression": " "}]),
            &["webhooks[0].matchConditions[0].expression: Required value"],
        );
    }
}
