//! What objects count for, and what a namespace has in all.

use std::collections::BTreeSet;

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::GroupResource;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_storage::Snapshot;

use super::super::pod_resources::{Amounts, add, amounts, of_pod};
use super::scope::{has_scopes, in_scope};

/// Resources whose plural alone is a name in a quota.
const COUNTED: [&str; 7] = [
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
];

/// What the namespace of a quota has now, of what the quota limits.
pub(super) fn usage_of(cluster: &Snapshot, quota: &Value) -> Amounts {
    let namespace = quota.text("/metadata/namespace");
    let hard = amounts(quota.at("/spec/hard"));
    let mut used = Amounts::new();
    for resource in tracked(&hard) {
        let objects = cluster.list(&resource, Some(namespace));
        if is_measured(&resource) {
            objects.for_each(|object| add(&mut used, &counted(quota, &resource, &object.to_value())));
        } else if !has_scopes(quota) {
            // All objects of the resource count alike: none of them needs to be read.
            let many = Quantity::from(i64::try_from(objects.count()).unwrap_or(i64::MAX));
            let one = counted(quota, &resource, &Value::Null);
            used.extend(one.into_keys().map(|name| (name, many)));
        }
    }
    used.retain(|name, _| hard.contains_key(name));
    used
}

/// Whether what an object counts for depends on what is in it.
fn is_measured(resource: &GroupResource) -> bool {
    [PODS, PERSISTENT_VOLUME_CLAIMS, SERVICES]
        .iter()
        .any(|known| known.is(resource))
}

/// The resources that names in a quota are about.
fn tracked(hard: &Amounts) -> BTreeSet<GroupResource> {
    hard.keys()
        .map(|name| match name.strip_prefix("count/") {
            Some(resource) => GroupResource::parse(resource),
            None if name.starts_with("services.") => SERVICES.group_resource(),
            None if name.contains("requests.storage") || name.ends_with("/persistentvolumeclaims") => {
                PERSISTENT_VOLUME_CLAIMS.group_resource()
            }
            None if COUNTED.contains(&name.as_str()) => GroupResource::new("", name.as_str()),
            None => PODS.group_resource(),
        })
        .collect()
}

/// What one object counts for.
pub(super) fn counted(quota: &Value, resource: &GroupResource, object: &Value) -> Amounts {
    let mut sum = Amounts::new();
    if has_scopes(quota) && !(PODS.is(resource) && in_scope(quota, object)) {
        return sum;
    }
    let mut count = |name: String, amount: Quantity| *sum.entry(name).or_default() += amount;
    let one = Quantity::from(1);
    count(format!("count/{resource}"), one);
    let is_core = |plural: &SmolStr| resource.group.is_empty() && COUNTED.contains(&plural.as_str());
    if PODS.is(resource) {
        if !matches!(object.text("/status/phase"), "Succeeded" | "Failed") {
            count("pods".to_owned(), one);
            for (name, amount) in of_pod(object, "requests") {
                count(format!("requests.{name}"), amount);
                count(name, amount);
            }
            for (name, amount) in of_pod(object, "limits") {
                count(format!("limits.{name}"), amount);
            }
        }
    } else if is_core(&resource.resource) {
        count(resource.resource.to_string(), one);
    }
    if PERSISTENT_VOLUME_CLAIMS.is(resource) {
        let size = Quantity::from_json(object.at("/spec/resources/requests/storage")).unwrap_or_default();
        count("requests.storage".to_owned(), size);
        let class = object.text("/spec/storageClassName");
        if !class.is_empty() {
            let prefix = format!("{class}.storageclass.storage.k8s.io");
            count(format!("{prefix}/requests.storage"), size);
            count(format!("{prefix}/persistentvolumeclaims"), one);
        }
    }
    if SERVICES.is(resource) {
        for (name, amount) in ports_of(object) {
            count(name.to_owned(), amount.into());
        }
    }
    sum
}

fn ports_of(service: &Value) -> [(&'static str, i64); 2] {
    let kind = service.text("/spec/type");
    let ports = i64::try_from(service.items("/spec/ports").len()).unwrap_or_default();
    let allocates = service.at("/spec/allocateLoadBalancerNodePorts") != false;
    let node_ports = match kind {
        "NodePort" => ports,
        "LoadBalancer" if allocates => ports,
        _ => 0,
    };
    [
        ("services.nodeports", node_ports),
        ("services.loadbalancers", i64::from(kind == "LoadBalancer")),
    ]
}
