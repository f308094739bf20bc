//! What the virtual cluster's configuration says of every host pod, on top of what the tenant says. Pure.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_config::{Pods, VirtualClusterSpec};
use warren_translate::policy;

use super::references::{CONTAINERS, elements};
use crate::limits::limits;

/// Puts what is configured into the spec of a host pod. `priority_class` is the host's class for what the tenant asks.
pub(super) fn translate(config: &VirtualClusterSpec, priority_class: Option<&str>, spec: &mut Value) {
    let pods = &config.sync.to_host.pods;
    for list in CONTAINERS {
        for container in elements(spec, list) {
            let translated = image(pods, container.text("/image"));
            if let Some(image) = translated {
                container.set("/image", image);
            }
        }
    }
    if !pods.runtime_class_name.is_empty() {
        spec.set("/runtimeClassName", pods.runtime_class_name.as_str());
    }
    let configured = Some(pods.priority_class_name.as_str()).filter(|name| !name.is_empty());
    if let Some(class) = priority_class.or(configured) {
        spec.set("/priorityClassName", class);
    }
    let tolerations = tolerations(config, spec);
    spec.take_at("/tolerations");
    if !tolerations.is_empty() {
        spec.set("/tolerations", tolerations);
    }
    node_selector(config, spec);
}

/// The image that the host gets instead of one that the tenant writes: that of the same name, or of the longest prefix
/// (a key that ends with `*` or `/`). `None` where it stays.
pub(super) fn image(pods: &Pods, image: &str) -> Option<String> {
    if let Some(exact) = pods.translate_image.get(image) {
        return Some(exact.clone());
    }
    let prefixes = pods.translate_image.iter().filter_map(|(from, to)| {
        let (from, to) = match from.strip_suffix('*') {
            Some(from) => (from, to.strip_suffix('*').unwrap_or(to)),
            None => (
                Some(from.as_str()).filter(|from| from.ends_with('/'))?,
                to.as_str(),
            ),
        };
        Some((from, to, image.strip_prefix(from)?))
    });
    let (_, to, rest) = prefixes.max_by_key(|(from, ..)| from.len())?;
    Some(format!("{to}{rest}"))
}

/// The tolerations of every pod, as they are configured.
pub(crate) fn configured_tolerations(pods: &Pods) -> Vec<Value> {
    pods.enforce_tolerations
        .iter()
        .map(|text| toleration(text))
        .collect()
}

/// Those of a spec's tolerations that the tenant may have, and the configured ones.
pub(super) fn tolerations(config: &VirtualClusterSpec, spec: &Value) -> Vec<Value> {
    let mut all = policy::tolerable(&limits(config), spec.items("/tolerations"));
    for configured in configured_tolerations(&config.sync.to_host.pods) {
        if !all.contains(&configured) {
            all.push(configured);
        }
    }
    all
}

/// `*`, `key`, `key=value`, `key:effect` or `key=value:effect`.
fn toleration(text: &str) -> Value {
    if text == "*" {
        return json!({"operator": "Exists"});
    }
    let (pair, effect) = text.split_once(':').unwrap_or((text, ""));
    let mut out = match pair.split_once('=') {
        Some((key, value)) => json!({"key": key, "operator": "Equal", "value": value}),
        None => json!({"key": pair, "operator": "Exists"}),
    };
    if !effect.is_empty() {
        out.set("/effect", effect);
    }
    out
}

/// Whether the configured tolerations cover a taint.
pub(crate) fn tolerates(enforced: &[String], taint: &Value) -> bool {
    enforced.iter().map(|text| toleration(text)).any(|toleration| {
        let same = |field: &str| toleration.text(field) == taint.text(field);
        let exists = toleration.text("/operator") == "Exists";
        (toleration.text("/key").is_empty() || same("/key"))
            && (toleration.text("/effect").is_empty() || same("/effect"))
            && (exists || same("/value"))
    })
}

/// Pods run only on nodes that have the configured labels.
pub(super) fn node_selector(config: &VirtualClusterSpec, spec: &mut Value) {
    let labels = &config.sync.from_host.nodes.selector.labels;
    if labels.is_empty() || !spec.text("/nodeName").is_empty() {
        return;
    }
    if let Some(selector) = spec.object_at("/nodeSelector") {
        for (key, value) in labels {
            selector.insert(key.clone(), value.as_str().into());
        }
    }
}

/// Whether a scheduler of the virtual cluster has the say over a pod: the host gets it once it is bound.
pub(super) fn is_scheduled_by_tenant(config: &VirtualClusterSpec, spec: &Value) -> bool {
    let hybrid = &config.sync.to_host.pods.hybrid_scheduling;
    let scheduler = spec.text("/schedulerName");
    let of_host = matches!(scheduler, "" | "default-scheduler");
    hybrid.enabled && !of_host && !hybrid.host_schedulers.iter().any(|name| name == scheduler)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl Fn(&mut VirtualClusterSpec)) -> VirtualClusterSpec {
        let mut config = VirtualClusterSpec::default();
        change(&mut config);
        config
    }

    #[test]
    fn images_are_translated_by_name_or_longest_prefix() {
        let config = config(|config| {
            let pairs = [
                ("nginx", "mirror/nginx:1"),
                ("docker.io/*", "mirror/*"),
                ("docker.io/own/", "own/"),
            ];
            config.sync.to_host.pods.translate_image =
                pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        });
        for (from, to) in [
            ("nginx", Some("mirror/nginx:1")),
            ("nginx:2", None),
            ("docker.io/library/redis", Some("mirror/library/redis")),
            ("docker.io/own/app:3", Some("own/app:3")),
        ] {
            assert_eq!(image(&config.sync.to_host.pods, from).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn what_is_configured_comes_on_top() {
        let config = config(|config| {
            let pods = &mut config.sync.to_host.pods;
            pods.enforce_tolerations = ["a", "k=v:NoSchedule", "*"].map(str::to_owned).into();
            pods.runtime_class_name = "gvisor".to_owned();
            pods.priority_class_name = "low".to_owned();
            config.sync.from_host.nodes.selector.labels = [("pool".to_owned(), "tenants".to_owned())].into();
        });
        let exists = json!({"key": "a", "operator": "Exists"});
        let mut spec = json!({"runtimeClassName": "own", "tolerations": [exists], "nodeSelector": {"pool": "system", "x": "y"}});
        translate(&config, None, &mut spec);
        assert_eq!(
            spec,
            json!({"runtimeClassName": "gvisor", "priorityClassName": "low",
                "nodeSelector": {"pool": "tenants", "x": "y"},
                "tolerations": [exists, {"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"},
                    {"operator": "Exists"}]})
        );
        let mut spec = json!({"nodeName": "n"});
        translate(&config, Some("own"), &mut spec);
        assert_eq!(spec.text("/priorityClassName"), "own");
        assert!(spec.at("/nodeSelector").is_null());
    }

    #[test]
    fn a_scheduler_that_the_host_does_not_run_is_the_tenants() {
        let config = config(|config| {
            let hybrid = &mut config.sync.to_host.pods.hybrid_scheduling;
            hybrid.enabled = true;
            hybrid.host_schedulers = vec!["gpu".to_owned()];
        });
        for (scheduler, is) in [
            ("", false),
            ("default-scheduler", false),
            ("gpu", false),
            ("mine", true),
        ] {
            assert_eq!(
                is_scheduled_by_tenant(&config, &json!({"schedulerName": scheduler})),
                is,
                "{scheduler}"
            );
        }
        let plain = VirtualClusterSpec::default();
        assert!(!is_scheduled_by_tenant(&plain, &json!({"schedulerName": "mine"})));
    }
}
