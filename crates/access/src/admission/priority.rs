//! Priority: a pod's priority is that of its class.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::{PODS, PRIORITY_CLASSES};
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::Asked;

const PREEMPT: &str = "PreemptLowerPriority";

/// Upstream's registry keeps these from being deleted.
const SYSTEM: [&str; 2] = ["system-node-critical", "system-cluster-critical"];

struct Class {
    name: String,
    value: i64,
    preemption: String,
}

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.writes(&PODS) {
        return Ok(());
    }
    match (cx.operation, cx.old) {
        (Operation::Create, _) => prioritise(cx, pod),
        (Operation::Update, Some(old)) => {
            for field in ["/spec/priority", "/spec/preemptionPolicy"] {
                if pod.at(field).is_null() && !old.at(field).is_null() {
                    pod.set(field, old.at(field).clone());
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn prioritise(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    let name = pod.text("/spec/priorityClassName").to_owned();
    let class = if name.is_empty() {
        default_class(cx)
    } else {
        match cx.find(&PRIORITY_CLASSES, "", &name) {
            Some(class) => class_of(&class.to_value()),
            None => return Err(cx.forbidden(pod, format!("no PriorityClass with name {name} was found"))),
        }
    };
    if let Some(given) = pod.int("/spec/priority").filter(|given| *given != class.value) {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            class.value
        );
        return Err(cx.forbidden(pod, why));
    }
    let given = pod.text("/spec/preemptionPolicy");
    if !given.is_empty() && given != class.preemption {
        let why = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            class.preemption
        );
        return Err(cx.forbidden(pod, why));
    }
    if name.is_empty() && !class.name.is_empty() {
        pod.set("/spec/priorityClassName", class.name);
    }
    pod.set("/spec/priority", class.value);
    pod.set("/spec/preemptionPolicy", class.preemption);
    Ok(())
}

fn class_of(class: &Value) -> Class {
    let preemption = class.text("/preemptionPolicy");
    Class {
        name: class.text("/metadata/name").to_owned(),
        value: class.int("/value").unwrap_or_default(),
        preemption: if preemption.is_empty() {
            PREEMPT
        } else {
            preemption
        }
        .to_owned(),
    }
}

fn is_default(class: &Value) -> bool {
    class.at("/globalDefault").as_bool().unwrap_or_default()
}

/// The global default of the lowest value; 0 where there is none.
fn default_class(cx: &Asked<'_>) -> Class {
    cx.all(&PRIORITY_CLASSES, None)
        .filter(is_default)
        .map(|class| class_of(&class))
        .min_by_key(|class| class.value)
        .unwrap_or_else(|| Class {
            name: String::new(),
            value: 0,
            preemption: PREEMPT.to_owned(),
        })
}

/// What upstream's registry does, whatever plugins run.
pub(super) fn keep_system_classes(cx: &Asked<'_>, _: Option<&Value>) -> Result<(), Status> {
    if cx.operation == Operation::Delete
        && cx.writes(&PRIORITY_CLASSES)
        && SYSTEM.contains(&cx.key.name.as_str())
    {
        let why = "this is a system priority class and cannot be deleted";
        return Err(cx.forbidden(&Value::Null, why));
    }
    Ok(())
}

pub(super) fn validate(cx: &Asked<'_>, class: Option<&Value>) -> Result<(), Status> {
    let writes = cx.creates(&PRIORITY_CLASSES) || cx.updates(&PRIORITY_CLASSES);
    let Some(class) = class.filter(|class| writes && is_default(class)) else {
        return Ok(());
    };
    let other = cx
        .all(&PRIORITY_CLASSES, None)
        .find(|other| is_default(other) && other.text("/metadata/name") != class.text("/metadata/name"));
    match other {
        None => Ok(()),
        Some(other) => {
            let name = other.text("/metadata/name");
            let why =
                format!("PriorityClass {name} is already marked as default. Only one default can exist");
            Err(cx.forbidden(class, why))
        }
    }
}
