//! RuntimeClass: a pod's overhead and placement are those of its runtime class.

use serde_json::Value;
use warren_apimachinery::resource::{PODS, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Resource, Status};

use super::Asked;
use super::service_account::push;

const RUNTIME_CLASSES: Resource = Resource {
    group: "node.k8s.io",
    version: "v1",
    kind: "RuntimeClass",
    plural: "runtimeclasses",
    scope: Scope::Cluster,
};

const UNDEFINED: &str = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    let name = pod.text("/spec/runtimeClassName").to_owned();
    if !cx.creates(&PODS) {
        return Ok(());
    }
    if name.is_empty() {
        let has_overhead = pod
            .at("/spec/overhead")
            .as_object()
            .is_some_and(|map| !map.is_empty());
        return if has_overhead {
            Err(cx.forbidden(pod, UNDEFINED))
        } else {
            Ok(())
        };
    }
    let Some(class) = cx.find(&RUNTIME_CLASSES, "", &name) else {
        return Err(cx.forbidden(pod, format!("pod rejected: RuntimeClass {name:?} not found")));
    };
    let class = class.to_value();
    set_overhead(cx, pod, class.at("/overhead/podFixed"))?;
    place(cx, pod, class.at("/scheduling"))
}

fn set_overhead(cx: &Asked<'_>, pod: &mut Value, fixed: &Value) -> Result<(), Status> {
    let given = pod.at("/spec/overhead");
    if given.is_object() && given != fixed {
        let why = if fixed.is_object() {
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        } else {
            UNDEFINED
        };
        return Err(cx.forbidden(pod, why));
    }
    if fixed.is_object() {
        pod.set("/spec/overhead", fixed.clone());
    }
    Ok(())
}

fn place(cx: &Asked<'_>, pod: &mut Value, scheduling: &Value) -> Result<(), Status> {
    for (key, wanted) in scheduling.at("/nodeSelector").as_object().into_iter().flatten() {
        let given = pod.at("/spec/nodeSelector").field(key);
        if given.is_string() && given != wanted {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let why = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                text(wanted),
                text(given)
            );
            return Err(cx.forbidden(pod, why));
        }
        if let Some(selector) = pod.object_at("/spec/nodeSelector") {
            selector.insert(key.clone(), wanted.clone());
        }
    }
    for toleration in scheduling.items("/tolerations") {
        if !pod.items("/spec/tolerations").contains(toleration) {
            push(pod, "/spec/tolerations", toleration.clone());
        }
    }
    Ok(())
}
