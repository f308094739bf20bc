//! Pods as controllers read them: the few fields they decide by, and the questions upstream asks of them.
//!
//! A slim view rather than `k8s-openapi`'s: it is parsed for every pod in every pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::{Meta, Object};
use warren_reconciler::Cluster;

use crate::timestamp;

/// A pod and its view.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    /// The object.
    pub(crate) object: Arc<Object>,
    /// What was read from it.
    pub(crate) metadata: Metadata,
    /// The part of its spec that controllers look at.
    pub(crate) spec: Spec,
    /// The part of its status that controllers look at.
    pub(crate) status: Status,
}

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// What the index does not hold of the metadata.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) creation_timestamp: Option<Timestamp>,
    pub(crate) deletion_timestamp: Option<Timestamp>,
    pub(crate) deletion_grace_period_seconds: Option<i64>,
}

/// Part of a pod's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    pub(crate) node_name: String,
    pub(crate) hostname: String,
    pub(crate) subdomain: String,
    pub(crate) restart_policy: String,
    pub(crate) host_network: bool,
    pub(crate) containers: Vec<Container>,
    pub(crate) init_containers: Vec<Container>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) affinity: serde_json::Value,
}

/// Part of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) restart_policy: Option<String>,
    pub(crate) ports: Vec<Port>,
}

/// A port of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) container_port: i32,
    pub(crate) protocol: String,
}

/// A volume, as far as it names a claim.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) persistent_volume_claim: Option<ClaimVolume>,
    pub(crate) ephemeral: Option<serde_json::Value>,
}

/// `volumes[].persistentVolumeClaim`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClaimVolume {
    pub(crate) claim_name: String,
}

/// Part of a pod's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) reason: String,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) container_statuses: Vec<ContainerStatus>,
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: String,
    #[serde(rename = "podIPs")]
    pub(crate) pod_ips: Vec<PodIp>,
    pub(crate) start_time: Option<Timestamp>,
}

/// An address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodIp {
    pub(crate) ip: String,
}

/// A condition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) last_transition_time: Option<Timestamp>,
}

/// The status of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) restart_count: i32,
    pub(crate) state: ContainerState,
}

/// The state of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerState {
    pub(crate) terminated: Option<Terminated>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Terminated {
    pub(crate) exit_code: i32,
    pub(crate) finished_at: Option<Timestamp>,
}

impl Pod {
    /// Reads a pod; damaged ones read as empty, so that they still count and can be deleted.
    pub(crate) fn of(object: Arc<Object>) -> Self {
        let view = object.view::<View>().unwrap_or_else(|error| {
            tracing::debug!(pod = %object.key(), %error, "pod cannot be read");
            View {
                metadata: Metadata::default(),
                spec: Spec::default(),
                status: Status::default(),
            }
        });
        Self {
            object,
            metadata: view.metadata,
            spec: view.spec,
            status: view.status,
        }
    }

    /// The index of the object.
    pub(crate) fn meta(&self) -> &Meta {
        self.object.meta()
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.meta().name
    }

    /// The condition of that type.
    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status
            .conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }

    /// Condition `Ready` is `True`.
    pub(crate) fn is_ready(&self) -> bool {
        self.condition("Ready")
            .is_some_and(|ready| ready.status == "True")
    }

    /// Since when it is ready.
    pub(crate) fn ready_since(&self) -> Option<Timestamp> {
        self.condition("Ready")
            .filter(|ready| ready.status == "True")
            .and_then(|ready| ready.last_transition_time)
    }

    /// Ready for at least `min_ready_seconds`.
    pub(crate) fn is_available(&self, min_ready_seconds: i64, now: Timestamp) -> bool {
        self.is_ready()
            && (min_ready_seconds == 0
                || self
                    .ready_since()
                    .is_some_and(|since| timestamp::after_seconds(since, min_ready_seconds) <= now))
    }

    /// When a ready pod that is not yet available will be.
    pub(crate) fn available_at(&self, min_ready_seconds: i64, now: Timestamp) -> Option<Timestamp> {
        self.ready_since()
            .map(|since| timestamp::after_seconds(since, min_ready_seconds))
            .filter(|at| *at > now)
    }

    /// `Succeeded` or `Failed`.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_succeeded() || self.is_failed()
    }

    /// Phase `Succeeded`.
    pub(crate) fn is_succeeded(&self) -> bool {
        self.status.phase == "Succeeded"
    }

    /// Phase `Failed`.
    pub(crate) fn is_failed(&self) -> bool {
        self.status.phase == "Failed"
    }

    /// Neither ended nor going.
    pub(crate) fn is_active(&self) -> bool {
        !self.is_terminal() && !self.meta().deleting
    }

    /// Going, but not ended.
    pub(crate) fn is_terminating(&self) -> bool {
        !self.is_terminal() && self.meta().deleting
    }

    /// The restarts of all containers that count: init sidecars included.
    pub(crate) fn restarts(&self) -> i32 {
        let sidecar = |name: &str| {
            self.spec
                .init_containers
                .iter()
                .any(|c| c.name == name && c.restart_policy.as_deref() == Some("Always"))
        };
        let main = self.status.container_statuses.iter();
        let sidecars = self
            .status
            .init_container_statuses
            .iter()
            .filter(|status| sidecar(&status.name));
        main.chain(sidecars).map(|status| status.restart_count).sum()
    }

    /// The names of the claims it mounts, those of ephemeral volumes included.
    pub(crate) fn claims(&self) -> impl Iterator<Item = String> {
        self.spec.volumes.iter().filter_map(|volume| {
            if volume.ephemeral.is_some() {
                return Some(format!("{}-{}", self.name(), volume.name));
            }
            volume
                .persistent_volume_claim
                .as_ref()
                .map(|claim| claim.claim_name.clone())
        })
    }
}

/// The pods of a namespace whose index passes `keep`: the others are not parsed.
pub(crate) fn list(cluster: &dyn Cluster, namespace: &str, keep: impl Fn(&Meta) -> bool) -> Vec<Pod> {
    cluster
        .list(&PODS, Some(namespace))
        .into_iter()
        .filter(|object| keep(object.meta()))
        .map(Pod::of)
        .collect()
}
