//! RuntimeClass: a pod's overhead and placement are those of its runtime class.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{PODS, RUNTIME_CLASSES};
use warren_apimachinery::value::ValueExt;

use super::Asked;
use super::pod_resources::amounts;
use super::tolerations::merge;

const UNDEFINED: &str = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
const OTHER: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.creates(&PODS) {
        return Ok(());
    }
    let Some(class) = class_of(cx, pod)? else {
        return Ok(());
    };
    set_overhead(cx, pod, &class)?;
    if class.at("/scheduling").is_object() {
        place(cx, pod, class.at("/scheduling"))?;
    }
    Ok(())
}

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let Some(pod) = pod.filter(|_| cx.creates(&PODS)) else {
        return Ok(());
    };
    let class = class_of(cx, pod)?;
    let fixed = class.as_ref().filter(|class| class.at("/overhead").is_object());
    match fixed {
        Some(class) if amounts(class.at("/overhead/podFixed")) != amounts(pod.at("/spec/overhead")) => {
            Err(cx.forbidden(pod, OTHER))
        }
        None if pod.at("/spec/overhead").is_object() => Err(cx.forbidden(pod, UNDEFINED)),
        _ => Ok(()),
    }
}

/// The class that the pod names, if it names one.
fn class_of(cx: &Asked<'_>, pod: &Value) -> Result<Option<Value>, Status> {
    let Some(name) = pod.at("/spec/runtimeClassName").as_str() else {
        return Ok(None);
    };
    match cx.find(&RUNTIME_CLASSES, "", name) {
        Some(class) => Ok(Some(class.to_value())),
        None => Err(cx.forbidden(pod, format!("pod rejected: RuntimeClass {name:?} not found"))),
    }
}

fn set_overhead(cx: &Asked<'_>, pod: &mut Value, class: &Value) -> Result<(), Status> {
    if !class.at("/overhead").is_object() {
        return Ok(());
    }
    let fixed = class.at("/overhead/podFixed");
    let given = amounts(pod.at("/spec/overhead"));
    if !given.is_empty() && given != amounts(fixed) {
        return Err(cx.forbidden(pod, OTHER));
    }
    if fixed.is_object() {
        pod.set("/spec/overhead", fixed.clone());
    } else {
        pod.take_at("/spec/overhead");
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
    let merged = merge(pod.items("/spec/tolerations"), scheduling.items("/tolerations"));
    if !merged.is_empty() {
        pod.set("/spec/tolerations", merged);
    }
    Ok(())
}
