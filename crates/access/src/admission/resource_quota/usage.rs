//! What a namespace has in all, and which names of a quota are about which objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object};
use warren_storage::Snapshot;

use super::super::pod_resources::{Amounts, amounts};
use super::devices::is_of_devices;
use super::measured::{ALIASED, Measured};
use super::readings::Readings;
use super::scope::selectors;

const POD_RESOURCES: [&str; 11] = [
    "count/pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
];
const BY_STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";

/// A cluster as quotas see it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) cluster: &'a Snapshot,
    pub(super) readings: &'a Readings,
    pub(super) now: Timestamp,
}

impl View<'_> {
    /// What the namespace of a quota has now, of what the quota limits.
    pub(super) fn usage_of(&self, quota: &Value) -> Amounts {
        let namespace = quota.text("/metadata/namespace");
        let hard = amounts(quota.at("/spec/hard"));
        let scopes = selectors(quota);
        let mut used = Amounts::new();
        for resource in tracked(&hard) {
            let objects = self.cluster.list(&resource, Some(namespace));
            if is_measured(&resource) {
                objects.for_each(|object| {
                    let measured = self.measure(&resource, object);
                    let is_counted = scopes.iter().all(|scope| measured.facts.are_in(scope));
                    let counted = hard.keys().filter(|_| is_counted);
                    for (name, amount) in
                        counted.filter_map(|name| Some((name, measured.amounts(self.now).get(name)?)))
                    {
                        *used.entry(name.clone()).or_default() += *amount;
                    }
                });
            } else if scopes.is_empty() {
                // All objects of the resource count alike: none of them needs to be read.
                let many = Quantity::from(i64::try_from(objects.count()).unwrap_or(i64::MAX));
                let names = matching(&resource, &hard);
                used.extend(names.map(|name| (name.to_owned(), many)));
            }
        }
        used
    }

    fn measure(&self, resource: &GroupResource, object: &Arc<Object>) -> Arc<Measured> {
        let read = || Measured::of(self.cluster, resource, &object.to_value());
        // What a device claim counts for is not in the claim alone.
        match RESOURCE_CLAIMS.is(resource) {
            true => Arc::new(read()),
            false => self.readings.of(object, read),
        }
    }
}

/// Whether what an object counts for depends on what is in it.
fn is_measured(resource: &GroupResource) -> bool {
    [PODS, PERSISTENT_VOLUME_CLAIMS, SERVICES, RESOURCE_CLAIMS]
        .iter()
        .any(|known| known.is(resource))
}

/// The resources that names in a quota are about.
fn tracked(hard: &Amounts) -> BTreeSet<GroupResource> {
    let known =
        [PODS, PERSISTENT_VOLUME_CLAIMS, SERVICES, RESOURCE_CLAIMS].map(|known| known.group_resource());
    let plain = ALIASED.iter().map(|plural| GroupResource::new("", *plural));
    let counted = hard.keys().filter_map(|name| name.strip_prefix("count/"));
    let all = known
        .into_iter()
        .chain(plain)
        .chain(counted.map(GroupResource::parse));
    all.filter(|resource| matching(resource, hard).next().is_some())
        .collect()
}

/// The names of a quota that objects of a resource count for.
pub(super) fn matching<'h>(
    resource: &GroupResource,
    hard: &'h Amounts,
) -> impl Iterator<Item = &'h str> + use<'h> {
    let count = format!("count/{resource}");
    let plural = if resource.group.is_empty() {
        resource.resource.to_string()
    } else {
        String::new()
    };
    let of_kind: fn(&str) -> bool = if PODS.is(resource) {
        is_of_pods
    } else if PERSISTENT_VOLUME_CLAIMS.is(resource) {
        |name| {
            let scoped = name.split_once(BY_STORAGE_CLASS);
            let plain = scoped.map_or(name, |(_, plain)| plain);
            matches!(plain, "persistentvolumeclaims" | "requests.storage")
        }
    } else if SERVICES.is(resource) {
        |name| matches!(name, "services" | "services.nodeports" | "services.loadbalancers")
    } else if RESOURCE_CLAIMS.is(resource) {
        |name| is_of_devices(name) || is_extended(name)
    } else {
        |_| false
    };
    let names = hard.keys().map(String::as_str);
    names.filter(move |name| {
        *name == count || of_kind(name) || (ALIASED.contains(&plural.as_str()) && *name == plural)
    })
}

fn is_of_pods(name: &str) -> bool {
    POD_RESOURCES.contains(&name)
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
        || is_extended(name)
}

/// Whether a name in a quota is of what a node's owner made up.
fn is_extended(name: &str) -> bool {
    let is_own = name.contains('/') && !name.contains("kubernetes.io/");
    let is_implicit = name.starts_with("requests.deviceclass.resource.kubernetes.io/");
    name.starts_with("requests.") && (is_own || is_implicit)
}
