//! What a virtual pod's later changes make of its host pod. Pure.
//!
//! Only what the tenant changed since the last time is carried over (see `applied`): what a webhook of the host made
//! of a field, and containers it added, stay.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use super::enforced;
use crate::applied::{Applied, Parts, metadata_parts, metadata_patch};
use crate::binding::Binding;

const IMAGE: &str = "i/";
const RESOURCES: &str = "r/";
const GATE: &str = "g/";
const CONDITION: &str = "c/";

/// What a pod that waits for its gates may still be told more narrowly.
pub(super) const PLACEMENT: &[&str] = &["nodeSelector", "affinity"];

/// The merge patches of a host pod, by part; empty ones are not written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Of the pod itself.
    pub(crate) main: Option<Value>,
    /// Of its `resize` subresource.
    pub(crate) resize: Option<Value>,
    /// Of its status: conditions of readiness gates.
    pub(crate) status: Option<Value>,
    /// Whether the base has to be written anew.
    pub(crate) base: bool,
}

/// The changeable parts of a virtual pod, given the metadata that its host pod would have now. `placed` is a spec as the
/// host would have it of a pod that waits for its gates; of others nothing in it counts.
pub(crate) fn parts(binding: &Binding, pod: &Value, metadata: &Value, placed: &Value) -> Parts {
    let pods = &binding.spec.sync.to_host.pods;
    let spec = pod.at("/spec");
    let mut parts = Parts::new();
    metadata_parts(metadata, &mut parts);
    for container in containers(spec) {
        let name = container.text("/name");
        let image = container.text("/image");
        let image = enforced::image(pods, image).unwrap_or_else(|| image.to_owned());
        parts.insert(format!("{IMAGE}{name}"), image.into());
        if !container.at("/resources").is_null() {
            parts.insert(format!("{RESOURCES}{name}"), container.at("/resources").clone());
        }
    }
    if !spec.at("/resources").is_null() {
        parts.insert(RESOURCES.to_owned(), spec.at("/resources").clone());
    }
    for gate in spec.items("/schedulingGates") {
        parts.insert(format!("{GATE}{}", gate.text("/name")), json!(true));
    }
    if !spec.at("/activeDeadlineSeconds").is_null() {
        parts.insert(
            "activeDeadlineSeconds".to_owned(),
            spec.at("/activeDeadlineSeconds").clone(),
        );
    }
    let tolerations = enforced::tolerations(&binding.spec, spec);
    if !tolerations.is_empty() {
        parts.insert("tolerations".to_owned(), tolerations.into());
    }
    for field in PLACEMENT {
        if !placed.field(field).is_null() {
            parts.insert((*field).to_owned(), placed.field(field).clone());
        }
    }
    for condition in gate_conditions(pod) {
        parts.insert(
            format!("{CONDITION}{}", condition.text("/type")),
            agreed(condition),
        );
    }
    parts
}

/// The containers whose image and resources may change.
fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    spec.items("/initContainers")
        .iter()
        .chain(spec.items("/containers"))
}

/// The virtual pod's conditions that its readiness gates name.
fn gate_conditions(pod: &Value) -> impl Iterator<Item = &Value> {
    let conditions = pod.items("/status/conditions").iter();
    conditions.filter(|condition| is_gate(pod, condition.text("/type")))
}

/// Whether a condition is one of the pod's readiness gates.
pub(super) fn is_gate(pod: &Value, condition: &str) -> bool {
    pod.items("/spec/readinessGates")
        .iter()
        .any(|gate| gate.text("/conditionType") == condition)
}

/// What the two sides have to agree on of a condition.
fn agreed(condition: &Value) -> Value {
    json!([
        condition.text("/status"),
        condition.text("/reason"),
        condition.text("/message")
    ])
}

/// Whether the virtual side changed a readiness gate's condition since the two sides last agreed.
pub(super) fn gate_changed(base: &Applied, condition: &Value) -> bool {
    !base.has(
        &format!("{CONDITION}{}", condition.text("/type")),
        &agreed(condition),
    )
}

/// What has to be written.
pub(crate) fn changes(pod: &Value, host: &Value, base: &Applied, parts: &Parts) -> Changes {
    let mut main = Value::Null;
    let metadata = metadata_patch(host, base, parts);
    if !metadata.is_null() {
        main.set("/metadata", metadata);
    }
    let spec = spec_patch(host, base, parts);
    if !spec.is_null() {
        main.set("/spec", spec);
    }
    Changes {
        main: (!main.is_null()).then_some(main),
        resize: resize_patch(host, base, parts),
        status: status_patch(pod, host, base),
        base: Applied::of(parts) != *base,
    }
}

fn spec_patch(host: &Value, base: &Applied, parts: &Parts) -> Value {
    let mut spec = Value::Null;
    for list in ["initContainers", "containers"] {
        let there = host.at("/spec").field(list);
        let mut wanted = there.clone();
        for container in wanted.as_array_mut().into_iter().flatten() {
            let path = format!("{IMAGE}{}", container.text("/name"));
            if let Some(image) = parts.get(&path).filter(|image| !base.has(&path, image)) {
                container.set("/image", image.clone());
            }
        }
        if *there != wanted {
            spec.set(&format!("/{list}"), wanted);
        }
    }
    let deadline = "activeDeadlineSeconds";
    if let Some(wanted) = parts.get(deadline).filter(|wanted| !base.has(deadline, wanted)) {
        spec.set(&format!("/{deadline}"), wanted.clone());
    }
    let gates: Vec<&str> = base.dropped(GATE, parts).collect();
    let there = host.items("/spec/schedulingGates");
    let left: Vec<&Value> = there
        .iter()
        .filter(|gate| !gates.contains(&gate.text("/name")))
        .collect();
    if left.len() != there.len() {
        spec.set("/schedulingGates", json!(left));
    }
    if !there.is_empty() {
        for field in PLACEMENT {
            if let Some(wanted) = parts.get(*field).filter(|wanted| !base.has(field, wanted)) {
                spec.set(&format!("/{field}"), wanted.clone());
            }
        }
    }
    if let Some(wanted) = parts
        .get("tolerations")
        .filter(|wanted| !base.has("tolerations", wanted))
    {
        let mut all = host.items("/spec/tolerations").to_vec();
        let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
        all.extend(
            wanted
                .iter()
                .filter(|one| !host.items("/spec/tolerations").contains(one))
                .cloned(),
        );
        spec.set("/tolerations", all);
    }
    spec
}

fn resize_patch(host: &Value, base: &Applied, parts: &Parts) -> Option<Value> {
    let mut spec = Value::Null;
    for list in ["initContainers", "containers"] {
        let there = host.at("/spec").field(list);
        let mut wanted = there.clone();
        for container in wanted.as_array_mut().into_iter().flatten() {
            let path = format!("{RESOURCES}{}", container.text("/name"));
            if let Some(resources) = parts.get(&path).filter(|resources| !base.has(&path, resources)) {
                container.set("/resources", resources.clone());
            }
        }
        if *there != wanted {
            spec.set(&format!("/{list}"), wanted);
        }
    }
    if let Some(wanted) = parts.get(RESOURCES).filter(|wanted| !base.has(RESOURCES, wanted)) {
        spec.set("/resources", wanted.clone());
    }
    (!spec.is_null()).then(|| json!({"spec": spec}))
}

fn status_patch(pod: &Value, host: &Value, base: &Applied) -> Option<Value> {
    let mut wanted = host.items("/status/conditions").to_vec();
    for condition in gate_conditions(pod).filter(|condition| gate_changed(base, condition)) {
        let mut condition = condition.clone();
        condition.take_at("/observedGeneration");
        match wanted
            .iter_mut()
            .find(|there| there.text("/type") == condition.text("/type"))
        {
            Some(there) if agreed(there) == agreed(&condition) => {}
            Some(there) => *there = condition,
            None => wanted.push(condition),
        }
    }
    (wanted != host.items("/status/conditions")).then(|| json!({"status": {"conditions": wanted}}))
}

/// The ephemeral containers that the host pod lacks.
pub(crate) fn new_ephemeral_containers<'a>(
    pod: &'a Value,
    host: &'a Value,
) -> impl Iterator<Item = &'a Value> {
    let there = host.items("/spec/ephemeralContainers");
    let wanted = pod.items("/spec/ephemeralContainers").iter();
    wanted.filter(move |one| !there.iter().any(|other| other.text("/name") == one.text("/name")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::binding;

    fn pod() -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {
            "readinessGates": [{"conditionType": "ready.example.com"}],
            "schedulingGates": [{"name": "wait"}],
            "tolerations": [{"key": "a"}],
            "containers": [{"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "1"}}}]}})
    }

    /// The host pod had a sidecar and a mirrored image put in by a webhook.
    fn host() -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {
            "schedulingGates": [{"name": "wait"}, {"name": "quota.host"}],
            "tolerations": [{"key": "a"}, {"key": "by-host"}],
            "containers": [{"name": "c", "image": "mirror/web:1", "resources": {"requests": {"cpu": "1"}}},
                {"name": "sidecar", "image": "mesh:1"}]}})
    }

    fn of(pod: &Value) -> Parts {
        parts(&binding(), pod, pod.at("/metadata"), pod.at("/spec"))
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Value), expect: Changes) {
        let base = Applied::of(&of(&pod()));
        let mut changed = pod();
        change(&mut changed);
        assert_eq!(changes(&changed, &host(), &base, &of(&changed)), expect);
    }

    #[test]
    fn what_a_webhook_of_the_host_changed_stays() {
        check(|_| {}, Changes::default());
    }

    #[test]
    fn a_new_image_is_carried_over_and_the_sidecar_stays() {
        check(
            |pod| pod.set("/spec/containers/0/image", "web:2"),
            Changes {
                main: Some(json!({"spec": {"containers": [
                    {"name": "c", "image": "web:2", "resources": {"requests": {"cpu": "1"}}},
                    {"name": "sidecar", "image": "mesh:1"}]}})),
                base: true,
                ..Changes::default()
            },
        );
    }

    #[test]
    fn a_gate_of_the_host_stays_when_the_tenants_goes() {
        check(
            |pod| pod.set("/spec/schedulingGates", json!([])),
            Changes {
                main: Some(json!({"spec": {"schedulingGates": [{"name": "quota.host"}]}})),
                base: true,
                ..Changes::default()
            },
        );
    }

    #[test]
    fn tolerations_are_added_and_resources_resized() {
        check(
            |pod| {
                pod.set("/spec/tolerations", json!([{"key": "a"}, {"key": "b"}]));
                pod.set("/spec/containers/0/resources", json!({"requests": {"cpu": "2"}}));
            },
            Changes {
                main: Some(
                    json!({"spec": {"tolerations": [{"key": "a"}, {"key": "by-host"}, {"key": "b"}]}}),
                ),
                resize: Some(json!({"spec": {"containers": [
                    {"name": "c", "image": "mirror/web:1", "resources": {"requests": {"cpu": "2"}}},
                    {"name": "sidecar", "image": "mesh:1"}]}})),
                base: true,
                ..Changes::default()
            },
        );
    }

    #[test]
    fn a_readiness_gates_condition_reaches_the_host() {
        check(
            |pod| {
                pod.set(
                    "/status/conditions",
                    json!([{"type": "ready.example.com", "status": "True"}, {"type": "Ready"}]),
                )
            },
            Changes {
                status: Some(
                    json!({"status": {"conditions": [{"type": "ready.example.com", "status": "True"}]}}),
                ),
                base: true,
                ..Changes::default()
            },
        );
    }

    #[test]
    fn an_ephemeral_container_is_new_once() {
        let pod = json!({"spec": {"ephemeralContainers": [{"name": "a"}, {"name": "b"}]}});
        let host = json!({"spec": {"ephemeralContainers": [{"name": "a"}]}});
        let new: Vec<&str> = new_ephemeral_containers(&pod, &host)
            .map(|one| one.text("/name"))
            .collect();
        assert_eq!(new, ["b"]);
    }
}
