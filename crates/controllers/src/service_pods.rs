//! The pods behind a Service: what Endpoints and EndpointSlices both are made of.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};
use warren_apimachinery::resource::SERVICES;
use warren_apimachinery::{Object, ObjectKey};
use warren_reconciler::{Change, Cluster, ReconcileError, Triggers};

use crate::label_selector::Selector;
use crate::pod::{self, Pod};
use crate::view::{Parts, view};

/// A Service with a selector.
pub(crate) struct Service {
    pub(crate) object: Arc<Object>,
    pub(crate) spec: ServiceSpec,
    selector: Selector,
}

/// A port as endpoints tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) port: i32,
    pub(crate) protocol: String,
    pub(crate) app_protocol: Option<String>,
}

impl Service {
    /// `None` for one whose endpoints are not ours: without a selector, or an alias of an external name.
    pub(crate) fn of(object: Arc<Object>) -> Result<Option<Self>, ReconcileError> {
        let parts: Parts<ServiceSpec, Value> = view(&object)?;
        let labels = parts.spec.selector.clone().unwrap_or_default();
        if labels.is_empty() || parts.spec.type_.as_deref() == Some("ExternalName") {
            return Ok(None);
        }
        Ok(Some(Self {
            object,
            selector: Selector::from_map(&json!(labels)).unwrap_or_else(|_| Selector::nothing()),
            spec: parts.spec,
        }))
    }

    /// The pods it selects that have not ended and have an address.
    pub(crate) fn pods(&self, cluster: &dyn Cluster) -> Vec<Pod> {
        let namespace = &self.object.meta().namespace;
        let mut pods = pod::list(cluster, namespace, |meta| self.selector.matches(meta));
        pods.retain(|pod| !pod.is_terminal() && !pod.status.pod_ip.is_empty());
        pods
    }

    pub(crate) fn is_headless(&self) -> bool {
        self.spec.cluster_ip.as_deref() == Some("None")
    }

    pub(crate) fn publishes_not_ready(&self) -> bool {
        self.spec.publish_not_ready_addresses.unwrap_or_default()
    }

    /// Its ports as a pod serves them; a named port that the pod lacks is left out.
    pub(crate) fn ports_of(&self, pod: &Pod) -> Vec<Port> {
        let ports = self.spec.ports.iter().flatten();
        ports
            .filter_map(|port| {
                Some(Port {
                    name: port.name.clone().unwrap_or_default(),
                    port: target(port, pod)?,
                    protocol: protocol(port).to_owned(),
                    app_protocol: port.app_protocol.clone(),
                })
            })
            .collect()
    }

    /// The name in the Service's domain of a pod that asked for one.
    pub(crate) fn hostname<'a>(&self, pod: &'a Pod) -> Option<&'a str> {
        let asked = !pod.spec.hostname.is_empty() && pod.spec.subdomain == self.object.meta().name;
        asked.then_some(pod.spec.hostname.as_str())
    }
}

fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => {
            let sidecars = pod.spec.init_containers.iter();
            let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
            let containers = pod.spec.containers.iter().chain(sidecars);
            let named = containers
                .flat_map(|container| &container.ports)
                .find(|candidate| {
                    let serves = if candidate.protocol.is_empty() {
                        "TCP"
                    } else {
                        &candidate.protocol
                    };
                    candidate.name == *name && serves == protocol(port)
                });
            named.map(|port| port.container_port)
        }
    }
}

/// Adds the Services that select the pod of a change, or did before it.
pub(crate) fn trigger(change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    let meta = change.object.meta();
    for service in cluster.list(&SERVICES, Some(&meta.namespace)) {
        let Ok(Some(service)) = Service::of(service) else {
            continue;
        };
        let before = change.previous.as_ref();
        if service.selector.matches(meta) || before.is_some_and(|pod| service.selector.matches(pod.meta())) {
            out.add(service.object.key());
        }
    }
}

/// What names the pod in an endpoint.
pub(crate) fn target_ref(pod: &Pod) -> Value {
    let meta = pod.meta();
    json!({"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid})
}

/// The Service of that key, if its endpoints are ours.
pub(crate) fn service(cluster: &dyn Cluster, key: &ObjectKey) -> Result<Option<Service>, ReconcileError> {
    match cluster.get(&SERVICES, key) {
        Some(object) => Service::of(object),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_target_ports_are_found_in_the_pod() {
        let service = Service::of(Arc::new(Object::from_value(
            &json!({"spec": {"selector": {"a": "b"}, "ports": [
            {"port": 80, "targetPort": "web"}, {"name": "raw", "port": 81, "targetPort": 8081},
            {"name": "same", "port": 82}, {"name": "lost", "port": 83, "targetPort": "none"}]}}),
        )))
        .unwrap()
        .unwrap();
        let pod = Pod::of(Arc::new(Object::from_value(&json!({"spec": {"containers": [
            {"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}]}}))));
        let ports: Vec<_> = service
            .ports_of(&pod)
            .into_iter()
            .map(|port| (port.name, port.port))
            .collect();
        let expect = [("", 8080), ("raw", 8081), ("same", 82)];
        assert_eq!(ports, expect.map(|(name, port)| (name.to_owned(), port)));
    }

    #[test]
    fn services_without_selector_are_not_ours() {
        let of = |spec: Value| Service::of(Arc::new(Object::from_value(&json!({"spec": spec})))).unwrap();
        assert!(of(json!({})).is_none());
        assert!(of(json!({"selector": {"a": "b"}, "type": "ExternalName"})).is_none());
        assert!(of(json!({"selector": {"a": "b"}})).is_some());
    }
}
