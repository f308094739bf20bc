//! The subsets of an Endpoints object: addresses that serve the same ports together, as upstream repacks them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::pod::Pod;
use crate::service_pods::{Port, Service, target_ref};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    Ready,
    NotReady,
}

/// All subsets, in a fixed order.
pub(super) fn subsets(service: &Service, pods: &[Pod]) -> Vec<Value> {
    let mut by_port: BTreeMap<Option<Port>, BTreeSet<(usize, Readiness)>> = BTreeMap::new();
    for (at, pod) in pods.iter().enumerate() {
        if pod.meta().deleting && !service.publishes_not_ready() {
            continue;
        }
        let ready = service.publishes_not_ready() || pod.is_ready();
        let member = (
            at,
            if ready {
                Readiness::Ready
            } else {
                Readiness::NotReady
            },
        );
        if service.spec.ports.iter().flatten().next().is_none() && service.is_headless() {
            by_port.entry(None).or_default().insert(member);
        }
        for port in service.ports_of(pod) {
            by_port.entry(Some(port)).or_default().insert(member);
        }
    }
    let mut by_members: BTreeMap<BTreeSet<(usize, Readiness)>, Vec<Port>> = BTreeMap::new();
    for (port, members) in by_port {
        by_members.entry(members).or_default().extend(port);
    }
    by_members
        .into_iter()
        .map(|(members, ports)| subset(service, pods, &members, &ports))
        .collect()
}

fn subset(service: &Service, pods: &[Pod], members: &BTreeSet<(usize, Readiness)>, ports: &[Port]) -> Value {
    let addresses = |readiness: Readiness| -> Vec<Value> {
        let mut pods: Vec<&Pod> = members
            .iter()
            .filter(|(_, of)| *of == readiness)
            .filter_map(|(at, _)| pods.get(*at))
            .collect();
        pods.sort_by_key(|pod| (&pod.status.pod_ip, &pod.meta().uid));
        pods.into_iter().map(|pod| address(service, pod)).collect()
    };
    let mut subset = json!({});
    let lists = [
        ("addresses", addresses(Readiness::Ready)),
        ("notReadyAddresses", addresses(Readiness::NotReady)),
        ("ports", ports.iter().map(port).collect()),
    ];
    for (name, list) in lists {
        if let Some(map) = subset.as_object_mut().filter(|_| !list.is_empty()) {
            map.insert(name.to_owned(), list.into());
        }
    }
    subset
}

fn address(service: &Service, pod: &Pod) -> Value {
    let mut address = json!({"ip": pod.status.pod_ip, "targetRef": target_ref(pod)});
    if let Some(map) = address.as_object_mut() {
        if !pod.spec.node_name.is_empty() {
            map.insert("nodeName".into(), pod.spec.node_name.as_str().into());
        }
        if let Some(hostname) = service.hostname(pod) {
            map.insert("hostname".into(), hostname.into());
        }
    }
    address
}

fn port(port: &Port) -> Value {
    let mut value = json!({"port": port.port, "protocol": port.protocol});
    if let Some(map) = value.as_object_mut() {
        if !port.name.is_empty() {
            map.insert("name".into(), port.name.as_str().into());
        }
        if let Some(app_protocol) = &port.app_protocol {
            map.insert("appProtocol".into(), app_protocol.as_str().into());
        }
    }
    value
}
