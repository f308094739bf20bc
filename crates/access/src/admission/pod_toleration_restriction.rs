//! PodTolerationRestriction: a namespace says what its pods tolerate, and what they may.

use serde_json::{Value, json};
use warren_apimachinery::Status;
use warren_apimachinery::resource::{NAMESPACES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;
use super::asked::annotation;
use super::resource_quota::is_best_effort;
use super::tolerations::{covers, merge};

const DEFAULTS: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
const WHITELIST: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.writes(&PODS) {
        return Ok(());
    }
    let mut more = match cx.operation {
        Operation::Create => said(cx, DEFAULTS)?.unwrap_or_else(|| cx.settings.tolerations.default.clone()),
        _ => Vec::new(),
    };
    if !is_best_effort(pod) {
        more.push(
            json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists",
            "effect": "NoSchedule"}),
        );
    }
    if !more.is_empty() {
        let merged = merge(pod.items("/spec/tolerations"), &more);
        pod.set("/spec/tolerations", merged);
    }
    validate(cx, Some(pod))
}

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update) && cx.writes(&PODS);
    let Some(pod) = pod.filter(|_| writes) else {
        return Ok(());
    };
    let given = pod.items("/spec/tolerations");
    if given.is_empty() {
        return Ok(());
    }
    let of_namespace = said(cx, WHITELIST)?;
    let (allowed, scope) = match &of_namespace {
        Some(allowed) => (allowed, "namespace"),
        None => (&cx.settings.tolerations.whitelist, "cluster"),
    };
    let all = given
        .iter()
        .all(|toleration| allowed.iter().any(|wide| covers(wide, toleration)));
    if allowed.is_empty() || all {
        return Ok(());
    }
    Err(Status::unclassified(format!(
        "pod tolerations (possibly merged with namespace default tolerations) conflict with its {scope} whitelist"
    )))
}

/// What the namespace says in an annotation, if it does.
fn said(cx: &Asked<'_>, key: &str) -> Result<Option<Vec<Value>>, Status> {
    let name = cx.key.namespace.as_str();
    let Some(namespace) = cx.find(&NAMESPACES, "", name) else {
        return Err(Status::not_found(&NAMESPACES.group_resource(), name));
    };
    let namespace = namespace.to_value();
    if namespace.at("/metadata/annotations").field(key).is_null() {
        return Ok(None);
    }
    let text = annotation(&namespace, key);
    if text.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let decoded = warren_apimachinery::value::decode_json(text.as_bytes());
    let value = decoded
        .map_err(|error| Status::unclassified(error.to_string()))?
        .value;
    match value {
        Value::Array(tolerations) => Ok(Some(tolerations)),
        other => {
            let kind = warren_apimachinery::value::go_kind(&other);
            Err(Status::unclassified(format!(
                "json: cannot unmarshal {kind} into Go value of type []v1.Toleration"
            )))
        }
    }
}
