//! The `VirtualCluster` object, as the host holds it.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Value};

use crate::check::{Class, Finding, check};
use crate::spec::VirtualClusterSpec;

/// Its API group.
pub const GROUP: &str = "warren.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// Its kind.
pub const KIND: &str = "VirtualCluster";

/// A `VirtualCluster`: the wish for a virtual cluster, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualCluster {
    /// Where it stands on the host; its name is the virtual cluster's.
    pub key: ObjectKey,
    /// Its uid on the host.
    pub uid: SmolStr,
    /// Its generation.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// What is wanted.
    pub spec: VirtualClusterSpec,
    /// What stands in its spec and nothing is done with.
    pub ignored: Vec<Finding>,
    /// What became of it.
    pub status: VirtualClusterStatus,
}

/// Why a `VirtualCluster` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `spec` holds what is not supported, or has another shape than wanted: all of it, each with its path.
    #[error("spec: {0}")]
    Spec(String),
}

impl VirtualCluster {
    /// Reads an object of the host. A status of a shape we do not know reads as empty: it is ours to write.
    ///
    /// # Errors
    /// `Spec` names the field that is not supported or has another shape.
    pub fn read(object: &Value) -> Result<Self, ConfigError> {
        let checked = check(object.at("/spec"));
        let ignored = checked.of(Class::Ignored).cloned().collect();
        let spec = checked.into_spec()?;
        Ok(Self {
            key: ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name")),
            uid: SmolStr::new(object.text("/metadata/uid")),
            generation: object.int("/metadata/generation").unwrap_or_default(),
            deleting: !object.at("/metadata/deletionTimestamp").is_null(),
            spec,
            ignored,
            status: serde_json::from_value(object.at("/status").clone()).unwrap_or_default(),
        })
    }
}

/// `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualClusterStatus {
    /// In one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The generation that this status is about.
    pub observed_generation: i64,
    /// The Kubernetes version that it speaks.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kubernetes_version: String,
    /// Where its API answers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// The port of its own listener, kept over restarts where it is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Where its name server listens, over UDP and TCP.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dns: String,
    /// The Secret with the admin's kubeconfig, in the same namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kubeconfig_secret: String,
    /// `Ready`, `ConfigValid`.
    pub conditions: Vec<Condition>,
}

/// A virtual cluster's state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Wanted, not yet there.
    Pending,
    /// Its API answers.
    Ready,
    /// Its API answers, its pods are taken from the host.
    Paused,
    /// It cannot be made as it is wanted; `conditions` say why.
    Failed,
    /// On its way out.
    Terminating,
}

impl Phase {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Ready => "Ready",
            Self::Paused => "Paused",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
        }
    }
}

/// One entry of `status.conditions`, as `metav1.Condition`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Such as `Ready`.
    pub r#type: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// In CamelCase.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The generation that it is about.
    pub observed_generation: i64,
    /// RFC 3339.
    pub last_transition_time: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(spec: Value) -> Result<VirtualClusterSpec, String> {
        VirtualCluster::read(&json!({"metadata": {"name": "a", "namespace": "b"}, "spec": spec}))
            .map(|cluster| cluster.spec)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_spec_is_a_working_cluster() {
        let spec = read(json!({})).unwrap();
        assert!(spec.sync.to_host.pods.enabled && spec.sync.from_host.events.enabled);
        assert!(!spec.sync.to_host.ingresses.enabled && !spec.sync.to_host.config_maps.all);
        assert!(spec.sync.from_host.storage_classes.is_on(true));
    }

    #[test]
    fn all_that_is_not_supported_is_refused_by_name_at_once() {
        let spec = json!({"sync": {"toHost": {"gatewayApis": {"enabled": true}}}, "controlPlane": {"proxy": {"port": "x"}}});
        let expect = "spec: controlPlane.proxy.port: must be a whole number, not \"x\"; \
                      sync.toHost.gatewayApis: unknown field; did you mean gatewayApi?";
        assert_eq!(read(spec), Err(expect.to_owned()));
    }

    #[test]
    fn what_is_written_reads_back() {
        let spec = read(json!({"sync": {"toHost": {"secrets": {"all": true}}}})).unwrap();
        let again: VirtualClusterSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
        assert_eq!(again, spec);
        assert!(again.sync.to_host.secrets.enabled && again.sync.to_host.secrets.all);
    }
}
