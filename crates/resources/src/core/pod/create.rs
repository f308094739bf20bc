//! What a new pod gets before it is checked: its first status, selectors made of its labels, profiles made of old
//! annotations.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::qos::qos_class;
use crate::pod_template::{APP_ARMOR, app_armor_profile, drop_disabled, elements, merge_label_keys};

/// Prepares a new pod.
pub(super) fn prepare(pod: &mut Value) {
    let class = qos_class(pod.field("spec"));
    let mut status = json!({"phase": "Pending", "qosClass": class});
    if !pod.items("/spec/schedulingGates").is_empty() {
        status.set(
            "/conditions",
            json!([{
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": null,
                "lastTransitionTime": pod.at("/metadata/creationTimestamp"),
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates"
            }]),
        );
    }
    pod.set("/status", status);
    if let Some(spec) = pod.get_mut("spec") {
        drop_disabled(spec);
    }
    merge_label_keys(pod);
    app_armor(pod);
}

/// Containers whose profile only an old annotation tells get it as a field, where it differs from the pod's.
fn app_armor(pod: &mut Value) {
    let annotations = pod.at("/metadata/annotations").as_object();
    let any = annotations.is_some_and(|all| all.keys().any(|key| key.starts_with(APP_ARMOR)));
    if !any || pod.text("/spec/os/name") == "windows" {
        return;
    }
    let annotations = pod.at("/metadata/annotations").clone();
    let of_pod = pod.at("/spec/securityContext/appArmorProfile").clone();
    for list in [
        "/spec/initContainers",
        "/spec/containers",
        "/spec/ephemeralContainers",
    ] {
        for container in elements(pod, list) {
            let key = format!("{APP_ARMOR}{}", container.text("/name"));
            let Some(old) = annotations.field(&key).as_str() else {
                continue;
            };
            let profile = app_armor_profile(old).filter(|profile| *profile != of_pod);
            if let Some(profile) = profile
                && container.at("/securityContext/appArmorProfile").is_null()
            {
                container.set("/securityContext/appArmorProfile", profile);
            }
        }
    }
}
