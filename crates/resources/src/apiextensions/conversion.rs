//! How objects get from one version to another.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::webhook_client;

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const NOT_SET: &str = "should not be set when strategy is not set to Webhook";

/// Checks `spec.conversion` of the internal form.
pub(super) fn conversion(errors: &mut Errors, path: &Path, conversion: &Value) {
    if conversion.is_null() {
        return;
    }
    let strategy = conversion.text("/strategy");
    check::required_one_of(errors, &path.child("strategy"), strategy, &["None", "Webhook"]);
    let (client_path, client) = (
        path.child("webhookClientConfig"),
        conversion.field("webhookClientConfig"),
    );
    let (versions_path, versions) = (
        path.child("conversionReviewVersions"),
        conversion.field("conversionReviewVersions"),
    );
    if strategy == "Webhook" {
        if client.is_null() {
            errors.push(Error::required(
                &client_path,
                "required when strategy is set to Webhook",
            ));
        } else {
            webhook_client::client(errors, &client_path, client);
        }
        review_versions(errors, &versions_path, versions);
        return;
    }
    if !client.is_null() {
        errors.push(Error::forbidden(&client_path, NOT_SET));
    }
    if versions.as_array().is_some_and(|versions| !versions.is_empty()) {
        errors.push(Error::forbidden(&versions_path, NOT_SET));
    }
}

fn review_versions(errors: &mut Errors, path: &Path, versions: &Value) {
    let items = versions.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let mut seen = Vec::new();
    for (at, version) in items.iter().enumerate() {
        let (path, version) = (path.index(at), version.as_str().unwrap_or_default());
        if seen.contains(&version) {
            errors.push(Error::invalid(&path, version, "duplicate version"));
            continue;
        }
        seen.push(version);
        check::text(errors, &path, version, names::dns1035_label(version));
    }
    if !seen.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        errors.push(Error::invalid(
            path,
            versions.clone(),
            "must include at least one of v1, v1beta1",
        ));
    }
}
