//! How objects get from one version to another.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::webhook_client;

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
        let versions = versions.as_array().map(Vec::as_slice).unwrap_or_default();
        webhook_client::review_versions(errors, &versions_path, versions, "");
        return;
    }
    if !client.is_null() {
        errors.push(Error::forbidden(&client_path, NOT_SET));
    }
    if versions.as_array().is_some_and(|versions| !versions.is_empty()) {
        errors.push(Error::forbidden(&versions_path, NOT_SET));
    }
}
