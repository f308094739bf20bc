//! PodNodeSelector: a namespace says on which nodes its pods run.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{NAMESPACES, PODS};
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::asked::annotation;

const ANNOTATION: &str = "scheduler.alpha.kubernetes.io/node-selector";
const FOR_ALL: &str = "clusterDefaultNodeSelector";
const CONFLICT: &str = "pod node label selector conflicts with its namespace node label selector";

type Labels = BTreeMap<String, String>;

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.creates(&PODS) {
        return Ok(());
    }
    let wanted = of_namespace(cx)?;
    no_conflict(cx, pod, &wanted)?;
    if !wanted.is_empty()
        && let Some(selector) = pod.object_at("/spec/nodeSelector")
    {
        for (key, value) in wanted {
            selector.entry(key).or_insert_with(|| value.into());
        }
    }
    validate(cx, Some(pod))
}

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let Some(pod) = pod.filter(|_| cx.creates(&PODS)) else {
        return Ok(());
    };
    no_conflict(cx, pod, &of_namespace(cx)?)?;
    let listed = cx.settings.node_selectors.get(cx.key.namespace.as_str());
    let allowed = parse(listed.map(String::as_str).unwrap_or_default())?;
    let given = pod.at("/spec/nodeSelector").as_object().into_iter().flatten();
    let mut others = given.filter(|(key, value)| allowed.get(*key).map(String::as_str) != value.as_str());
    if allowed.is_empty() || others.next().is_none() {
        return Ok(());
    }
    let why = "pod node label selector labels conflict with its namespace whitelist";
    Err(Status::forbidden(&cx.resource, pod.text("/metadata/name"), why))
}

fn no_conflict(cx: &Asked<'_>, pod: &Value, wanted: &Labels) -> Result<(), Status> {
    let given = pod.at("/spec/nodeSelector").as_object().into_iter().flatten();
    let mut given = given.filter_map(|(key, value)| Some((wanted.get(key)?, value)));
    match given.any(|(wanted, given)| given != wanted.as_str()) {
        false => Ok(()),
        true => Err(Status::forbidden(
            &cx.resource,
            pod.text("/metadata/name"),
            CONFLICT,
        )),
    }
}

fn of_namespace(cx: &Asked<'_>) -> Result<Labels, Status> {
    let name = cx.key.namespace.as_str();
    let Some(namespace) = cx.find(&NAMESPACES, "", name) else {
        let why = format!("namespace {name} does not exist");
        return Err(Status::internal(why));
    };
    let namespace = namespace.to_value();
    let is_set = !namespace.at("/metadata/annotations").field(ANNOTATION).is_null();
    let for_all = cx.settings.node_selectors.get(FOR_ALL);
    match is_set {
        true => parse(annotation(&namespace, ANNOTATION)),
        false => parse(for_all.map(String::as_str).unwrap_or_default()),
    }
}

/// `a=b,c=d`
fn parse(text: &str) -> Result<Labels, Status> {
    let mut labels = Labels::new();
    if text.is_empty() {
        return Ok(labels);
    }
    for pair in text.split(',') {
        let parts: Vec<&str> = pair.split('=').collect();
        let [key, value] = parts.as_slice() else {
            let why = format!("invalid selector: [{}]", pair.replace('=', " "));
            return Err(Status::unclassified(why));
        };
        let (key, value) = (key.trim(), value.trim());
        let bad = warren_apimachinery::name::qualified_name(key);
        if !bad.is_empty() {
            let why = format!("{key:?}: name part {}", bad.join("; "));
            return Err(Status::unclassified(why));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}
