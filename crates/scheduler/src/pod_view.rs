//! A pod as the scheduler sees it.

use k8s_openapi::api::core::v1::{Affinity, Pod, PodSpec};
use smol_str::SmolStr;
use warren_apimachinery::{Object, ObjectKey};

use crate::requests::{Amounts, of_pod};

/// A port of a host, taken by a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) protocol: SmolStr,
    pub(crate) address: SmolStr,
    pub(crate) port: i32,
}

/// See the module. Made once per pod and revision of its spec.
#[derive(Debug)]
pub(crate) struct PodView {
    pub(crate) key: ObjectKey,
    pub(crate) labels: Vec<(SmolStr, SmolStr)>,
    pub(crate) owner: Option<SmolStr>,
    pub(crate) requests: Amounts,
    pub(crate) host_ports: Vec<HostPort>,
    pub(crate) spec: PodSpec,
    pub(crate) deleting: bool,
}

impl PodView {
    pub(crate) fn of(object: &Object) -> Option<Self> {
        let pod: Pod = object.view().ok()?;
        let spec = pod.spec?;
        Some(Self {
            key: object.key(),
            labels: object.meta().labels.to_vec(),
            owner: object.meta().controller().map(|owner| owner.uid.clone()),
            requests: of_pod(&spec),
            host_ports: host_ports(&spec),
            spec,
            deleting: object.meta().deleting,
        })
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn affinity(&self) -> Option<&Affinity> {
        self.spec.affinity.as_ref()
    }
}

fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            Some(HostPort {
                protocol: SmolStr::new(port.protocol.as_deref().unwrap_or("TCP")),
                address: SmolStr::new(port.host_ip.as_deref().unwrap_or("0.0.0.0")),
                port: port.host_port.filter(|port| *port > 0)?,
            })
        })
        .collect()
}
