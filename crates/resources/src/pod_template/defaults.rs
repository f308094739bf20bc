//! What upstream's defaulting functions do to a pod spec beyond the defaults that its schema carries.

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;

use super::pod_resources;

const GRACE: &str = "/terminationGracePeriodSeconds";

/// Defaults a pod spec, in a pod or in a template.
pub(crate) fn default_pod_spec(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    default_service_account(spec);
    for list in ["/containers", "/initContainers", "/ephemeralContainers"] {
        for container in elements(spec, list) {
            default_container(container);
        }
    }
    for volume in elements(spec, "/volumes") {
        default_volume(volume);
    }
}

/// What upstream adds to a pod only, never to a template: requests from limits, host ports, service links.
pub(crate) fn default_pod_only(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    for list in ["/containers", "/initContainers"] {
        for container in elements(spec, list) {
            default_requests(container);
        }
    }
    pod_resources::default(spec);
    // What is below zero means one second; templates keep what was written.
    if spec.int(GRACE).is_some_and(|seconds| seconds < 0) {
        spec.set(GRACE, 1);
    }
    if spec.field("enableServiceLinks").is_null() {
        spec.set("/enableServiceLinks", true);
    }
    if spec.field("hostNetwork").as_bool() == Some(true) {
        for list in ["/containers", "/initContainers"] {
            for container in elements(spec, list) {
                default_host_ports(container);
            }
        }
    }
}

/// The elements of a list, to be changed.
pub(crate) fn elements<'a>(value: &'a mut Value, pointer: &str) -> &'a mut [Value] {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .map(Vec::as_mut_slice)
        .unwrap_or_default()
}

/// `serviceAccount` is an old name of `serviceAccountName`; the new one wins and both are shown.
fn default_service_account(spec: &mut Value) {
    let name = match spec.text("/serviceAccountName") {
        "" => spec.text("/serviceAccount"),
        name => name,
    };
    if !name.is_empty() {
        let name = name.to_owned();
        spec.set("/serviceAccount", name.as_str());
        spec.set("/serviceAccountName", name);
    }
}

fn default_container(container: &mut Value) {
    if !container.is_object() {
        return;
    }
    if container.text("/imagePullPolicy").is_empty() {
        let policy = pull_policy(container.text("/image"));
        container.set("/imagePullPolicy", policy);
    }
}

/// `Always` for an image without a tag or with `latest`; an image given by digest, or that is no reference at
/// all, need not be looked up again.
fn pull_policy(image: &str) -> &'static str {
    if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    }
}

fn is_latest(image: &str) -> bool {
    if image.is_empty() || image.contains('@') {
        return image.ends_with(":latest") || image.contains(":latest@");
    }
    let after_slash = image.rsplit('/').next().unwrap_or_default();
    let (name, tag) = after_slash.split_once(':').unwrap_or((after_slash, "latest"));
    let path = image.strip_suffix(after_slash).unwrap_or_default();
    // Uppercase is only allowed in the registry's part.
    let repository = path.split_once('/').map_or("", |(_, rest)| rest);
    let is_reference = !name.is_empty()
        && !name.contains(char::is_uppercase)
        && !repository.contains(char::is_uppercase)
        && !image.contains(char::is_whitespace);
    is_reference && tag == "latest"
}

fn default_requests(container: &mut Value) {
    let Some(limits) = container.at("/resources/limits").as_object().cloned() else {
        return;
    };
    if let Some(requests) = container.object_at("/resources/requests") {
        for (resource, quantity) in limits {
            requests.entry(resource).or_insert(quantity);
        }
        if requests.is_empty() {
            container.take_at("/resources/requests");
        }
    }
}

fn default_host_ports(container: &mut Value) {
    for port in elements(container, "/ports") {
        if port.int("/hostPort").unwrap_or_default() == 0 {
            let number = port.field("containerPort").clone();
            port.set("/hostPort", number);
        }
    }
}

/// A volume without a source is an empty directory.
fn default_volume(volume: &mut Value) {
    let has_source = volume
        .as_object()
        .is_some_and(|map| map.iter().any(|(key, value)| key != "name" && !value.is_null()));
    if volume.is_object() && !has_source {
        volume.set("/emptyDir", Map::new());
    }
    if volume.field("image").is_object() && volume.text("/image/pullPolicy").is_empty() {
        let policy = pull_policy(volume.text("/image/reference"));
        volume.set("/image/pullPolicy", policy);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_without_a_fixed_tag_are_pulled_always() {
        let cases = [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.25", "IfNotPresent"),
            ("localhost:5000/app", "Always"),
            ("localhost:5000/app:v1", "IfNotPresent"),
            ("Registry.example.com/app", "Always"),
            ("app/Nginx", "IfNotPresent"),
            ("nginx@sha256:abc", "IfNotPresent"),
            ("", "IfNotPresent"),
        ];
        for (image, expected) in cases {
            assert_eq!(pull_policy(image), expected, "{image}");
        }
    }

    #[test]
    fn pods_get_requests_from_limits_and_host_ports() {
        let mut spec = json!({"hostNetwork": true, "containers": [
            {"name": "c", "image": "x", "ports": [{"containerPort": 80}],
             "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}}]});
        default_pod_spec(&mut spec);
        default_pod_only(&mut spec);
        let container = spec.at("/containers/0");
        assert_eq!(
            container.at("/resources/requests"),
            &json!({"cpu": "500m", "memory": "1Gi"})
        );
        assert_eq!(container.int("/ports/0/hostPort"), Some(80));
        assert_eq!(spec.at("/enableServiceLinks"), &json!(true));
    }

    #[test]
    fn volumes_without_a_source_are_empty_directories() {
        let mut spec =
            json!({"volumes": [{"name": "a"}, {"name": "b", "secret": {}}], "serviceAccount": "s"});
        default_pod_spec(&mut spec);
        assert_eq!(spec.at("/volumes/0/emptyDir"), &json!({}));
        assert!(spec.at("/volumes/1/emptyDir").is_null());
        assert_eq!(spec.text("/serviceAccountName"), "s");
    }
}
