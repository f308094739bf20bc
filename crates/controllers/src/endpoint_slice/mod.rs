//! EndpointSlices: the addresses behind a Service. Owns the shell; `slices` decides what goes into which slice.
//!
//! Unlike upstream it gives no topology hints and writes no `last-change-trigger-time`.

pub(crate) mod mirroring;
mod slices;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{ENDPOINT_SLICES, NODES, PODS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::owner::controller_reference;
use crate::pod::Pod;
use crate::pod_control::namespace_is_terminating;
use crate::service_pods::{self, Port, Service, target_ref};

use slices::{Desired, Group};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const THIS_CONTROLLER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The controller.
pub(crate) struct EndpointSlices;

#[async_trait]
impl Reconciler for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpointslice"
    }

    fn watches(&self) -> &'static [Resource] {
        &[SERVICES, PODS, ENDPOINT_SLICES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if PODS.is(&change.resource) {
            service_pods::trigger(change, cluster, out);
        } else if SERVICES.is(&change.resource) {
            out.add(change.object.key());
        } else if let Some(service) = service_of(change.object.meta()) {
            out.add(service);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        // The slices of a Service that is gone are the garbage collector's.
        let Some(service) = service_pods::service(cluster, key)? else {
            return Ok(Next::Wait);
        };
        if service.object.meta().deleting {
            return Ok(Next::Wait);
        }
        let families = service.spec.ip_families.clone().unwrap_or_default();
        let address_types: Vec<&'static str> = match families.as_slice() {
            [] => vec!["IPv4"],
            families => families
                .iter()
                .map(|family| if family == "IPv6" { "IPv6" } else { "IPv4" })
                .collect(),
        };
        let desired = desired(cluster, &service, &address_types);
        let labels = labels(&service);
        let mut existing = Vec::new();
        for slice in cluster.list(&ENDPOINT_SLICES, Some(&key.namespace)) {
            if service_of(slice.meta()).as_ref() == Some(key) && !slice.meta().deleting {
                existing.push(slice.to_value());
            }
        }
        let stale: Vec<Value> = existing
            .iter()
            .filter(|slice| slice.at("/metadata/labels") != &labels)
            .cloned()
            .collect();
        let plan = slices::plan(desired, existing, &address_types);
        let target = Target {
            owner: (&SERVICES, &service.object),
            labels: &labels,
            stale,
        };
        carry_out(cluster, target, plan).await?;
        Ok(Next::Wait)
    }
}

/// The Service of a slice of ours.
fn service_of(slice: &Meta) -> Option<ObjectKey> {
    let ours = slice.label(MANAGED_BY) == Some(THIS_CONTROLLER);
    let name = slice.label(SERVICE_NAME).filter(|_| ours)?;
    Some(ObjectKey::namespaced(slice.namespace.clone(), name))
}

/// The Service's labels and our own.
fn labels(service: &Service) -> Value {
    let mut labels = service.object.to_value().at("/metadata/labels").clone();
    if !labels.is_object() {
        labels = json!({});
    }
    if let Some(map) = labels.as_object_mut() {
        map.remove(HEADLESS);
        map.insert(SERVICE_NAME.into(), service.object.meta().name.as_str().into());
        map.insert(MANAGED_BY.into(), THIS_CONTROLLER.into());
        if service.is_headless() {
            map.insert(HEADLESS.into(), "".into());
        }
    }
    labels
}

fn desired(cluster: &dyn Cluster, service: &Service, address_types: &[&'static str]) -> Desired {
    let mut zones: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut desired = Desired::new();
    for pod in service.pods(cluster) {
        let node = &pod.spec.node_name;
        let zone = zones.entry(node.clone()).or_insert_with(|| {
            let node = cluster.get(&NODES, &ObjectKey::cluster(node.as_str()))?;
            node.meta().label(ZONE).map(str::to_owned)
        });
        let ports = service.ports_of(&pod);
        if ports.is_empty() && service.spec.ports.iter().flatten().next().is_some() {
            continue;
        }
        let ports: Vec<Value> = ports.iter().map(port).collect();
        for address_type in address_types {
            let addresses = addresses(&pod, address_type);
            if !addresses.is_empty() {
                let group = Group {
                    address_type,
                    ports: slices::ports_text(&ports),
                };
                let endpoint = endpoint(service, &pod, addresses, zone.as_deref());
                desired.entry(group).or_default().push(endpoint);
            }
        }
    }
    desired
}

fn addresses<'a>(pod: &'a Pod, address_type: &str) -> Vec<&'a str> {
    let six = address_type == "IPv6";
    let listed = pod.status.pod_ips.iter().map(|address| address.ip.as_str());
    let mut all: Vec<&str> = listed.filter(|ip| ip.contains(':') == six).collect();
    if all.is_empty() && pod.status.pod_ip.contains(':') == six {
        all.push(&pod.status.pod_ip);
    }
    all
}

fn endpoint(service: &Service, pod: &Pod, addresses: Vec<&str>, zone: Option<&str>) -> Value {
    let serving = pod.is_ready();
    let terminating = pod.meta().deleting;
    let ready = service.publishes_not_ready() || (serving && !terminating);
    let mut endpoint = json!({
        "addresses": addresses,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": target_ref(pod),
    });
    let node = Some(pod.spec.node_name.as_str()).filter(|node| !node.is_empty());
    let optional = [
        ("nodeName", node),
        ("hostname", service.hostname(pod)),
        ("zone", zone),
    ];
    if let Some(map) = endpoint.as_object_mut() {
        for (name, value) in optional {
            map.extend(value.map(|value| (name.to_owned(), value.into())));
        }
    }
    endpoint
}

fn port(port: &Port) -> Value {
    let mut value = json!({"name": port.name, "port": port.port, "protocol": port.protocol});
    if let Some(app_protocol) = &port.app_protocol {
        value.set("/appProtocol", app_protocol.as_str());
    }
    value
}

/// Whose slices are written.
struct Target<'a> {
    /// Kind and object.
    owner: (&'a Resource, &'a Object),
    /// The labels that every slice has.
    labels: &'a Value,
    /// Slices whose labels are others.
    stale: Vec<Value>,
}

async fn carry_out(
    cluster: &dyn Cluster,
    target: Target<'_>,
    plan: slices::Plan,
) -> Result<(), ReconcileError> {
    let (resource, owner) = target.owner;
    let meta = owner.meta();
    let labels = target.labels;
    let name = |slice: &Value| slice.text("/metadata/name").to_owned();
    let touched: Vec<String> = plan.update.iter().chain(&plan.delete).map(name).collect();
    for (address_type, ports, endpoints) in plan.create {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": format!("{}-", meta.name),
                "namespace": meta.namespace,
                "labels": labels,
                "ownerReferences": [controller_reference(resource, meta)],
            },
            "addressType": address_type,
            "ports": ports,
            "endpoints": endpoints,
        });
        match cluster.create(&ENDPOINT_SLICES, slice).await {
            Err(status) if namespace_is_terminating(&status) => return Ok(()),
            result => result?,
        };
    }
    let relabelled = target
        .stale
        .into_iter()
        .filter(|slice| !touched.contains(&name(slice)));
    for mut slice in plan.update.into_iter().chain(relabelled) {
        slice.set("/metadata/labels", labels.clone());
        cluster.update(&ENDPOINT_SLICES, Part::Main, slice).await?;
    }
    for slice in plan.delete {
        let key = ObjectKey::namespaced(meta.namespace.clone(), name(&slice).as_str());
        ignore_missing(
            cluster
                .delete(&ENDPOINT_SLICES, &key, DeleteOptions::default())
                .await,
        )?;
    }
    Ok(())
}

fn ignore_missing(result: Result<(), Status>) -> Result<(), Status> {
    match result {
        Err(status) if status.is(StatusReason::NotFound) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
