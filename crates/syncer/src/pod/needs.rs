//! What has to be in the virtual cluster before a pod goes to the host. Pure but for the look.
//!
//! The host's kubelet and scheduler would complain of what is missing in words of the host, on a node that the pod
//! need not have taken yet. So the pod waits, and is told what they would tell it.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_reconciler::{Cluster, Triggers};

use super::references::{IN_ENV, IN_ENV_FROM, IN_SOURCE, IN_VOLUME, required};
use crate::sides::Sides;

/// Something that a pod cannot run without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    resource: &'static Resource,
    name: String,
    by: By,
}

/// What of the pod needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// A volume of this name.
    Volume(String),
    /// A container's environment.
    Container,
    /// The claim of an ephemeral volume: upstream's controller makes it.
    Ephemeral,
}

impl Need {
    /// Reason and message of the event; `None` where nobody has to do anything.
    pub(super) fn event(&self) -> Option<(&'static str, String)> {
        let missing = format!("{} {:?} not found", self.resource.kind.to_lowercase(), self.name);
        match &self.by {
            By::Ephemeral => None,
            By::Volume(_) if resource::PERSISTENT_VOLUME_CLAIMS == *self.resource => {
                Some(("FailedScheduling", missing))
            }
            By::Volume(volume) => {
                let message = format!("MountVolume.SetUp failed for volume {volume:?} : {missing}");
                Some(("FailedMount", message))
            }
            By::Container => Some(("Failed", format!("Error: {missing}"))),
        }
    }
}

/// The needs of a pod.
fn needs(pod: &Value) -> Vec<Need> {
    let mut all: Vec<Need> = Vec::new();
    let mut add = |(resource, name): (&'static Resource, &str), by: By| {
        let need = Need {
            resource,
            name: name.to_owned(),
            by,
        };
        if !all.contains(&need) {
            all.push(need);
        }
    };
    for volume in pod.items("/spec/volumes") {
        let by = || By::Volume(volume.text("/name").to_owned());
        required(volume, IN_VOLUME).for_each(|found| add(found, by()));
        for source in volume.items("/projected/sources") {
            required(source, IN_SOURCE).for_each(|found| add(found, by()));
        }
        if !volume.field("ephemeral").is_null() {
            let name = ephemeral_claim(pod, volume);
            add((&resource::PERSISTENT_VOLUME_CLAIMS, &name), By::Ephemeral);
        }
    }
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.items(list) {
            for (field, places) in [("/env", IN_ENV), ("/envFrom", IN_ENV_FROM)] {
                for entry in container.items(field) {
                    required(entry, places).for_each(|found| add(found, By::Container));
                }
            }
        }
    }
    all
}

/// The name of the claim that upstream's controller makes for an ephemeral volume.
pub(super) fn ephemeral_claim(pod: &Value, volume: &Value) -> String {
    format!("{}-{}", pod.text("/metadata/name"), volume.text("/name"))
}

/// What of a pod's needs is not in the virtual cluster.
pub(super) fn missing(sides: &Sides<'_>, pod: &Value) -> Vec<Need> {
    let namespace = pod.text("/metadata/namespace");
    let mut all = needs(pod);
    all.retain(|need| {
        let key = ObjectKey::namespaced(namespace, need.name.as_str());
        match sides.virtual_cluster.get(need.resource, &key) {
            None => true,
            // Somebody else's claim is not the pod's.
            Some(claim) => {
                need.by == By::Ephemeral
                    && claim
                        .meta()
                        .controller()
                        .is_none_or(|owner| owner.uid != pod.text("/metadata/uid"))
            }
        }
    });
    all
}

/// Queues the pods that may have waited for an object that is new in their virtual cluster.
pub(super) fn trigger_waiting(new: &Object, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    let meta = new.meta();
    if let Some(owner) = meta
        .controller()
        .filter(|owner| owner.kind == resource::PODS.kind)
    {
        return out.add(ObjectKey::namespaced(meta.namespace.clone(), owner.name.clone()));
    }
    let needle = format!("\"{}\"", meta.name);
    for pod in cluster.list(&resource::PODS, Some(&meta.namespace)) {
        // A pod that has a node does not wait; what is left is few, and the search is of bytes.
        let waits = pod.meta().field("spec.nodeName").unwrap_or_default().is_empty();
        if waits && memchr::memmem::find(&pod.bytes(), needle.as_bytes()).is_some() {
            out.add(pod.key());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(spec: Value, expect: &[(&str, &str)]) {
        let pod = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": spec});
        let told: Vec<_> = needs(&pod).iter().filter_map(Need::event).collect();
        let told: Vec<_> = told
            .iter()
            .map(|(reason, message)| (*reason, message.as_str()))
            .collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn a_missing_object_is_told_of_as_upstream_tells() {
        check(
            json!({"volumes": [{"name": "conf", "configMap": {"name": "c"}}, {"name": "s", "secret": {"secretName": "s"}},
                {"name": "all", "projected": {"sources": [{"configMap": {"name": "p"}}]}}]}),
            &[
                (
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"conf\" : configmap \"c\" not found",
                ),
                (
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"s\" : secret \"s\" not found",
                ),
                (
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"all\" : configmap \"p\" not found",
                ),
            ],
        );
        check(
            json!({"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}),
            &[("FailedScheduling", "persistentvolumeclaim \"data\" not found")],
        );
        check(
            json!({"containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "c"}}]}]}),
            &[
                ("Failed", "Error: secret \"s\" not found"),
                ("Failed", "Error: configmap \"c\" not found"),
            ],
        );
    }

    #[test]
    fn what_is_optional_or_only_pulls_images_is_not_waited_for() {
        check(
            json!({"imagePullSecrets": [{"name": "pull"}],
                "volumes": [{"name": "v", "configMap": {"name": "c", "optional": true}},
                    {"name": "p", "projected": {"sources": [{"secret": {"name": "s", "optional": true}}]}}],
                "containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}}],
                    "envFrom": [{"secretRef": {"name": "s", "optional": true}}]}]}),
            &[],
        );
    }

    #[test]
    fn an_ephemeral_volume_needs_the_claim_that_its_controller_makes() {
        let pod =
            json!({"metadata": {"name": "web"}, "spec": {"volumes": [{"name": "scratch", "ephemeral": {}}]}});
        let found = needs(&pod);
        assert_eq!(
            found.iter().map(|need| need.name.as_str()).collect::<Vec<_>>(),
            ["web-scratch"]
        );
        assert_eq!(found.iter().find_map(Need::event), None);
    }
}
