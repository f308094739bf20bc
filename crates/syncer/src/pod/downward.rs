//! The downward API shows a tenant the virtual pod, not the host's.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_translate::{OBJECT_NAME, OBJECT_NAMESPACE, OBJECT_UID, Tenant};

use super::references::elements;
use crate::sides::pairs;

/// Annotations of host pods that hold what their own metadata does not show.
const SERVICE_ACCOUNT: &str = "warren.dev/service-account";
const LABELS: &str = "warren.dev/labels";
const ANNOTATIONS: &str = "warren.dev/annotations";

/// Points every `fieldRef` of volumes at the virtual values, and puts those into the host pod's `metadata` where it has
/// none that a `fieldRef` could name. They follow later changes, as do the files.
pub(super) fn annotate(tenant: &Tenant, pod: &Value, spec: &mut Value, metadata: &mut Value) {
    for (key, value) in translate(tenant, pod, spec) {
        metadata.set(&format!("/annotations/{}", key.replace('/', "~1")), value);
    }
}

/// The same for a pod whose host pod stands: only what its annotations should say.
pub(super) fn annotate_only(tenant: &Tenant, pod: &Value, metadata: &mut Value) {
    let volumes = pod.items("/spec/volumes").iter();
    let shows = |volume: &&Value| {
        let sources = || volume.items("/projected/sources").iter();
        !volume.field("downwardAPI").is_null()
            || sources().any(|source| !source.field("downwardAPI").is_null())
    };
    let shown: Vec<&Value> = volumes.filter(shows).collect();
    if !shown.is_empty() {
        annotate(tenant, pod, &mut json!({"volumes": shown}), metadata);
    }
}

/// Answers the annotations that the host pod needs.
fn translate(tenant: &Tenant, pod: &Value, spec: &mut Value) -> Vec<(&'static str, String)> {
    let mut needed = Vec::new();
    for volume in elements(spec, "volumes") {
        if let Some(downward) = volume.get_mut("downwardAPI") {
            items(tenant, downward, &mut needed);
        }
        if let Some(projected) = volume.get_mut("projected") {
            for source in elements(projected, "sources") {
                if let Some(downward) = source.get_mut("downwardAPI") {
                    items(tenant, downward, &mut needed);
                }
            }
        }
    }
    needed.sort_unstable();
    needed.dedup();
    needed
        .into_iter()
        .map(|key| (key, annotation(pod, key)))
        .collect()
}

fn items(tenant: &Tenant, downward: &mut Value, needed: &mut Vec<&'static str>) {
    for item in elements(downward, "items") {
        if let Some(Value::String(path)) = item.pointer_mut("/fieldRef/fieldPath") {
            needed.extend(redirect(tenant, path));
        }
    }
}

/// Where the host pod shows what the virtual pod has at `path`; answers the annotation that is needed for it.
fn redirect(tenant: &Tenant, path: &mut String) -> Option<&'static str> {
    let (there, needed) = match path.as_str() {
        "metadata.name" => (OBJECT_NAME, None),
        "metadata.namespace" => (OBJECT_NAMESPACE, None),
        "metadata.uid" => (OBJECT_UID, None),
        "metadata.labels" => (LABELS, Some(LABELS)),
        "metadata.annotations" => (ANNOTATIONS, Some(ANNOTATIONS)),
        "spec.serviceAccountName" => (SERVICE_ACCOUNT, Some(SERVICE_ACCOUNT)),
        _ => {
            rename_key(tenant, path);
            return None;
        }
    };
    *path = format!("metadata.annotations['{there}']");
    needed
}

/// `metadata.labels['key']`: the key as the host pod has it.
fn rename_key(tenant: &Tenant, path: &mut String) {
    if let Some((field, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        *path = format!("{field}['{}']", tenant.host_label_key(key));
    }
}

fn annotation(pod: &Value, key: &str) -> String {
    match key {
        LABELS => format_map(pod.at("/metadata/labels")),
        ANNOTATIONS => format_map(pod.at("/metadata/annotations")),
        _ => pod.text("/spec/serviceAccountName").to_owned(),
    }
}

/// As a kubelet writes a map into a file: sorted, one `key="value"` per line.
fn format_map(map: &Value) -> String {
    let mut lines: Vec<String> = pairs(map)
        .map(|(key, value)| format!("{key}={}", json!(value)))
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// One entry of a container's environment: what cannot change becomes its value, the rest is redirected.
pub(super) fn translate_env(tenant: &Tenant, pod: &Value, env: &mut Value) {
    let place = match env.text("/valueFrom/fieldRef/fieldPath") {
        "metadata.name" => "/metadata/name",
        "metadata.namespace" => "/metadata/namespace",
        "metadata.uid" => "/metadata/uid",
        "spec.serviceAccountName" => "/spec/serviceAccountName",
        _ => {
            if let Some(Value::String(path)) = env.pointer_mut("/valueFrom/fieldRef/fieldPath") {
                rename_key(tenant, path);
            }
            return;
        }
    };
    env.take_at("/valueFrom");
    env.set("/value", pod.text(place));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"name": "web-0", "namespace": "shop", "uid": "u", "labels": {"b": "2", "a": "say \"1\""}},
            "spec": {"serviceAccountName": "builder"}})
    }

    #[track_caller]
    fn check_env(path: &str, expect: Value) {
        let tenant = Tenant::new("demo", "team-a");
        let mut env = json!({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}});
        translate_env(&tenant, &pod(), &mut env);
        env.take_at("/name");
        assert_eq!(env, expect);
    }

    #[test]
    fn environments_show_the_virtual_pod() {
        check_env("metadata.name", json!({"value": "web-0"}));
        check_env("metadata.namespace", json!({"value": "shop"}));
        check_env("spec.serviceAccountName", json!({"value": "builder"}));
        check_env(
            "status.podIP",
            json!({"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}),
        );
        check_env(
            "metadata.labels['warren.dev/managed-by']",
            json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tenant.warren.dev/managed-by']"}}}),
        );
    }

    #[test]
    fn volumes_show_the_virtual_pod_by_annotations() {
        let tenant = Tenant::new("demo", "team-a");
        let mut spec = json!({"volumes": [
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"projected": {"sources": [{"downwardAPI": {"items": [
                {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}]});
        let needed = translate(&tenant, &pod(), &mut spec);
        assert_eq!(needed, [(LABELS, "a=\"say \\\"1\\\"\"\nb=\"2\"".to_owned())]);
        assert_eq!(
            spec.text("/volumes/0/downwardAPI/items/0/fieldRef/fieldPath"),
            "metadata.annotations['warren.dev/labels']"
        );
        assert_eq!(
            spec.text("/volumes/1/projected/sources/0/downwardAPI/items/0/fieldRef/fieldPath"),
            "metadata.annotations['warren.dev/object-namespace']"
        );
    }
}
