//! What a claim asks for: requests, constraints between them, and configuration.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::part::{configuration, fully_qualified, list, selectors, toleration, unique};
use crate::check::{self, Errors};
use crate::pod_template::elements;

const LIST_MAX: usize = 32;
const ALTERNATIVES_MAX: usize = 8;
const ONE_OF: &str = "exactly one of `exactly` or `firstAvailable` is required";
const NO_REQUEST: &str =
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

/// Fills in what requests leave open; `spec` is a pointer to a claim's specification.
pub(super) fn default(object: &mut Value, spec: &str) {
    for request in elements(object, &format!("{spec}/devices/requests")) {
        if request.field("exactly").is_object() {
            default_request(request, "/exactly");
        }
        for alternative in elements(request, "/firstAvailable") {
            default_request(alternative, "");
        }
    }
}

fn default_request(object: &mut Value, at: &str) {
    let mode = format!("{at}/allocationMode");
    if object.text(&mode).is_empty() {
        object.set(&mode, "ExactCount");
    }
    let count = format!("{at}/count");
    if object.text(&mode) == "ExactCount" && object.int(&count).unwrap_or_default() == 0 {
        object.set(&count, 1);
    }
    for toleration in elements(object, &format!("{at}/tolerations")) {
        if toleration.text("/operator").is_empty() {
            toleration.set("/operator", "Equal");
        }
    }
}

/// Checks a claim's specification at `path`.
pub(super) fn check(errors: &mut Errors, path: &Path, spec: &Value) {
    let (path, devices) = (path.child("devices"), spec.field("devices"));
    let (requests_path, requests) = (path.child("requests"), devices.items("/requests"));
    list(errors, &requests_path, requests, LIST_MAX, request);
    if requests.len() <= LIST_MAX {
        unique(errors, &requests_path, requests, "/name");
    }
    let constraints = devices.items("/constraints");
    list(
        errors,
        &path.child("constraints"),
        constraints,
        LIST_MAX,
        |errors, path, value| {
            constraint(errors, path, value, requests);
        },
    );
    let configurations = devices.items("/config");
    list(
        errors,
        &path.child("config"),
        configurations,
        LIST_MAX,
        |errors, path, value| {
            references(errors, path, value, requests);
            configuration(errors, path, value);
        },
    );
}

fn request(errors: &mut Errors, path: &Path, request: &Value) {
    check::dns_label(errors, &path.child("name"), request.text("/name"));
    let (exactly, alternatives) = (request.field("exactly"), request.items("/firstAvailable"));
    match (exactly.is_null(), alternatives.is_empty()) {
        (true, true) => errors.push(Error::required(path, ONE_OF)),
        (false, false) => errors.push(Error::invalid(
            path,
            Value::Null,
            format!("{ONE_OF}, but multiple fields are set"),
        )),
        (false, true) => device(errors, &path.child("exactly"), exactly),
        (true, false) => {
            let path = path.child("firstAvailable");
            list(
                errors,
                &path,
                alternatives,
                ALTERNATIVES_MAX,
                |errors, path, value| {
                    check::dns_label(errors, &path.child("name"), value.text("/name"));
                    device(errors, path, value);
                },
            );
            if alternatives.len() <= ALTERNATIVES_MAX {
                unique(errors, &path, alternatives, "/name");
            }
        }
    }
}

/// Which devices, and how many.
fn device(errors: &mut Errors, path: &Path, request: &Value) {
    let (class_path, class) = (path.child("deviceClassName"), request.text("/deviceClassName"));
    if check::required(errors, &class_path, class) {
        check::dns_subdomain(errors, &class_path, class);
    }
    selectors(errors, &path.child("selectors"), request.items("/selectors"));
    let (count_path, count) = (path.child("count"), request.int("/count").unwrap_or_default());
    match request.text("/allocationMode") {
        "All" if count != 0 => errors.push(Error::invalid(
            &count_path,
            count,
            "must not be specified when allocationMode is 'All'",
        )),
        "ExactCount" if count <= 0 => {
            errors.push(Error::invalid(&count_path, count, "must be greater than zero"));
        }
        mode => check::one_of(
            errors,
            &path.child("allocationMode"),
            mode,
            &["All", "ExactCount"],
        ),
    }
    for (at, value) in request.items("/tolerations").iter().enumerate() {
        toleration(errors, &path.child("tolerations").index(at), value);
    }
}

fn constraint(errors: &mut Errors, path: &Path, constraint: &Value, requests: &[Value]) {
    references(errors, path, constraint, requests);
    let attributes = ["matchAttribute", "distinctAttribute"];
    let set = attributes
        .iter()
        .find_map(|field| Some((field, constraint.field(field).as_str()?)));
    match set {
        Some((field, text)) => fully_qualified(errors, &path.child(field), text),
        // Upstream's words, whether both are set or none.
        None => errors.push(Error::required(path, "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but multiple fields are set")),
    }
}

fn references(errors: &mut Errors, path: &Path, value: &Value, requests: &[Value]) {
    let (path, all) = (path.child("requests"), value.items("/requests"));
    list(errors, &path, all, LIST_MAX, |errors, path, name| {
        reference(errors, path, name.as_str().unwrap_or_default(), requests);
    });
    if all.len() <= LIST_MAX {
        unique(errors, &path, all, "");
    }
}

/// The name of a request, or of one of its alternatives.
pub(super) fn reference(errors: &mut Errors, path: &Path, text: &str, requests: &[Value]) {
    let segments: Vec<&str> = text.split('/').collect();
    if segments.len() > 2 {
        errors.push(Error::invalid(path, text, NO_REQUEST));
        return;
    }
    for segment in &segments {
        check::dns_label(errors, path, segment);
    }
    let named = |items: &'_ [Value], name: &str| items.iter().position(|item| item.text("/name") == name);
    let (own, sub) = (segments.first().copied().unwrap_or_default(), segments.get(1));
    let found = named(requests, own).and_then(|at| requests.get(at));
    let exists = found
        .is_some_and(|request| sub.is_none_or(|sub| named(request.items("/firstAvailable"), sub).is_some()));
    if !exists {
        errors.push(Error::invalid(path, text, NO_REQUEST));
    }
}
