//! `x-kubernetes-validations`: all of a rule but its expression.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::super::selectable_fields::leads_somewhere;
use crate::check::Errors;

const REASONS: &[&str] = &[
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];

/// Checks the rules of one schema.
pub(super) fn check(errors: &mut Errors, path: &Path, schema: &Value) {
    for (at, value) in schema.items("/x-kubernetes-validations").iter().enumerate() {
        let path = path.child("x-kubernetes-validations").index(at);
        texts(errors, &path, value);
        if let Some(reason) = value
            .field("reason")
            .as_str()
            .filter(|reason| !REASONS.contains(reason))
        {
            errors.push(Error::not_supported(&path.child("reason"), reason, REASONS));
        }
        field_path(errors, &path.child("fieldPath"), value.text("/fieldPath"), schema);
    }
}

fn has_breaks(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

fn texts(errors: &mut Errors, path: &Path, value: &Value) {
    let (rule, message) = (value.text("/rule").trim(), value.text("/message"));
    let message_path = path.child("message");
    if rule.is_empty() {
        errors.push(Error::required(&path.child("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        errors.push(Error::invalid(
            &message_path,
            message,
            "must be non-empty if specified",
        ));
    } else if has_breaks(message.trim()) {
        errors.push(Error::invalid(
            &message_path,
            message,
            "must not contain line breaks",
        ));
    } else if has_breaks(rule) && message.trim().is_empty() {
        errors.push(Error::required(
            &message_path,
            "message must be specified if rule contains line breaks",
        ));
    }
    let expression = value.text("/messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        errors.push(Error::required(
            &path.child("messageExpression"),
            "messageExpression must be non-empty if specified",
        ));
    }
}

fn field_path(errors: &mut Errors, path: &Path, text: &str, schema: &Value) {
    let mut refuse = |why: &str| errors.push(Error::invalid(path, text, why));
    if text.is_empty() {
        return;
    }
    if text.trim().is_empty() {
        refuse("must be non-empty if specified");
    }
    if has_breaks(text) {
        refuse("must not contain line breaks");
    }
    if has_breaks(text) || text.trim().is_empty() || !leads_somewhere(text, schema) {
        refuse("must be a valid path");
    }
}
