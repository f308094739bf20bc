//! SubjectAccessReview, and its forms for oneself and for one namespace.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, UserInfo};
use warren_rbac::{Attributes, Decision};

use super::{Asked, selectors};
use crate::authorization::decide;

const GROUP: &str = "authorization.k8s.io";

pub(crate) fn answer_self(cx: &Asked<'_>, request: Value) -> Result<Value, Status> {
    let mut errors = attribute_errors(&request);
    errors.extend(selectors::errors(request.at("/spec/resourceAttributes")));
    errors.extend(metadata_error(&request, "must be empty"));
    refuse(&errors)?;
    Ok(answered(cx, cx.user, request))
}

pub(crate) fn answer(cx: &Asked<'_>, request: Value) -> Result<Value, Status> {
    let mut errors = spec_errors(&request);
    errors.extend(metadata_error(&request, "must be empty"));
    refuse(&errors)?;
    Ok(answered(cx, &subject(&request), request))
}

pub(crate) fn answer_local(cx: &Asked<'_>, mut request: Value) -> Result<Value, Status> {
    // The path says which namespace is meant; what the object says was compared with it before.
    request.take_at("/metadata/namespace");
    let mut errors = spec_errors(&request);
    errors.extend(metadata_error(&request, "must be empty except for namespace"));
    let namespace = request.text("/spec/resourceAttributes/namespace");
    if request.at("/spec/resourceAttributes").is_object() && namespace != cx.namespace {
        let path = Path::new("spec.resourceAttributes.namespace");
        errors.push(Error::invalid(&path, namespace, "must match metadata.namespace"));
    }
    let path = request.at("/spec/nonResourceAttributes");
    if path.is_object() {
        errors.push(Error::invalid(
            &Path::new("spec.nonResourceAttributes"),
            go_path(path),
            "disallowed on this kind of request",
        ));
    }
    refuse(&errors)?;
    request.set("/metadata/namespace", cx.namespace);
    Ok(answered(cx, &subject(&request), request))
}

/// The kind is left out, as upstream leaves it out by mistake.
fn refuse(errors: &[Error]) -> Result<(), Status> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(GROUP, "", "", errors))
    }
}

fn spec_errors(request: &Value) -> Vec<Error> {
    let mut errors = attribute_errors(request);
    errors.extend(subject_errors(request));
    errors.extend(selectors::errors(request.at("/spec/resourceAttributes")));
    errors
}

fn attribute_errors(request: &Value) -> Vec<Error> {
    let resource = request.at("/spec/resourceAttributes").is_object();
    let path = request.at("/spec/nonResourceAttributes");
    match (resource, path.is_object()) {
        (true, true) => vec![Error::invalid(
            &Path::new("spec.nonResourceAttributes"),
            go_path(path),
            "cannot be specified in combination with resourceAttributes",
        )],
        (false, false) => vec![Error::invalid(
            &Path::new("spec.resourceAttributes"),
            Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )],
        _ => Vec::new(),
    }
}

/// `nonResourceAttributes` as upstream prints its internal form, with Go's names.
fn go_path(path: &Value) -> Value {
    json!({"Path": path.text("/path"), "Verb": path.text("/verb")})
}

fn metadata_error(request: &Value, why: &str) -> Option<Error> {
    let metadata = request.at("/metadata");
    let fields = metadata.as_object()?;
    let said = fields
        .iter()
        .any(|(name, value)| name != "managedFields" && !value.is_null());
    said.then(|| Error::invalid(&Path::new("metadata"), metadata.clone(), why).shown_as(as_go(metadata)))
}

/// The fields of `metadata` and of its `managedFields` in the order of Go's structs.
const GO_ORDER: [&str; 14] = [
    "name",
    "generateName",
    "namespace",
    "uid",
    "labels",
    "annotations",
    "finalizers",
    "managedFields",
    "manager",
    "operation",
    "apiVersion",
    "time",
    "fieldsType",
    "fieldsV1",
];

/// JSON as Go writes a struct: fields in its own order rather than sorted.
fn as_go(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| GO_ORDER.iter().position(|known| known == name));
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| match name.as_str() {
                    // These are maps, which Go sorts.
                    "fieldsV1" | "labels" | "annotations" => format!("{name:?}:{value}"),
                    _ => format!("{name:?}:{}", as_go(value)),
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(as_go).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

fn subject_errors(request: &Value) -> Option<Error> {
    let nobody = request.text("/spec/user").is_empty() && request.items("/spec/groups").is_empty();
    nobody.then(|| {
        Error::invalid(
            &Path::new("spec.user"),
            "",
            "at least one of user or group must be specified",
        )
    })
}

fn subject(request: &Value) -> UserInfo {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let extra: BTreeMap<_, _> = request
        .at("/spec/extra")
        .as_object()
        .map(|map| {
            map.iter()
                .map(|(key, values)| (key.to_ascii_lowercase(), texts(values)))
                .collect()
        })
        .unwrap_or_default();
    UserInfo {
        name: request.text("/spec/user").to_owned(),
        uid: request.text("/spec/uid").to_owned(),
        groups: texts(request.at("/spec/groups")),
        extra,
    }
}

fn answered(cx: &Asked<'_>, user: &UserInfo, mut request: Value) -> Value {
    let spec = request.at("/spec");
    let resource = spec.at("/resourceAttributes");
    let fields = selectors::fields(resource.at("/fieldSelector"));
    let attributes = if resource.is_object() {
        Attributes {
            verb: resource.text("/verb"),
            group: resource.text("/group"),
            version: resource.text("/version"),
            resource: resource.text("/resource"),
            subresource: resource.text("/subresource"),
            namespace: resource.text("/namespace"),
            name: resource.text("/name"),
            path: "",
            fields: &fields,
        }
    } else {
        Attributes::path(
            spec.text("/nonResourceAttributes/verb"),
            spec.text("/nonResourceAttributes/path"),
        )
    };
    let decision = decide(cx.guard, cx.cluster, user, &attributes);
    let allowed = decision.allowed();
    let (Decision::Allow(reason) | Decision::NoOpinion(reason)) = decision;
    let mut status = Map::new();
    status.insert("allowed".to_owned(), allowed.into());
    if !reason.is_empty() {
        status.insert("reason".to_owned(), reason.into());
    }
    let unread = selectors::unread(request.at("/spec/resourceAttributes"));
    if !unread.is_empty() {
        status.insert("evaluationError".to_owned(), unread.into());
    }
    request.set("/status", Value::Object(status));
    request
}
