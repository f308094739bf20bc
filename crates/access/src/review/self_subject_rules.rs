//! SelfSubjectRulesReview: what may I do here?

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;

use super::Asked;
use crate::node;

pub(crate) fn answer(cx: &Asked<'_>, mut request: Value) -> Result<Value, Status> {
    let namespace = request.text("/spec/namespace");
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let is_node = node::name_of(cx.user).is_some();
    let mut resolved = cx.guard.indexed(cx.cluster).index.rules_for(cx.user, namespace);
    if is_node {
        resolved.errors.insert(
            0,
            "node authorizer does not support user rule resolution".to_owned(),
        );
    }
    let mut resources = Vec::new();
    let mut paths = Vec::new();
    for rule in &resolved.rules {
        let mut whole = rule.to_value();
        if !rule.resources.is_empty() {
            let mut value = whole.clone();
            value.take_at("/nonResourceURLs");
            resources.push(value);
        }
        if !rule.non_resource_urls.is_empty() {
            for field in ["/apiGroups", "/resources", "/resourceNames"] {
                whole.take_at(field);
            }
            paths.push(whole);
        }
    }
    let mut status = json!({
        "resourceRules": resources,
        "nonResourceRules": paths,
        // Roles that are missing make no rules: the list is whole, and the error tells of them.
        "incomplete": is_node,
    });
    match resolved.errors.as_slice() {
        [] => {}
        [one] => status.set("/evaluationError", one.as_str()),
        many => status.set("/evaluationError", format!("[{}]", many.join(", "))),
    }
    // Upstream makes the answer anew: what was asked is not repeated.
    request.set("/metadata", json!({}));
    request.set("/spec", json!({}));
    request.set("/status", status);
    Ok(request)
}
