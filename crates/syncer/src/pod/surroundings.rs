//! Reads what a pod's translation needs of the virtual cluster.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, resource};
use warren_reconciler::ReconcileError;

use super::dns::Dns;
use super::env::Service;
use super::host_pod::Surroundings;
use super::references::{CONTAINERS, env_from};
use super::scheduling::NamespaceLabels;
use crate::priority_class;
use crate::sides::Sides;

/// The virtual cluster's DNS server stands where it stands everywhere.
const DNS_SERVICE: (&str, &str) = ("kube-system", "kube-dns");

/// # Errors
/// When it is not known yet where the virtual cluster's API is, or the host does not have the pod's priority class yet.
pub(super) fn surroundings(sides: &Sides<'_>, pod: &Value) -> Result<Surroundings, ReconcileError> {
    let Some(api) = sides.binding.api.clone() else {
        return Err(ReconcileError::Retry(
            "the address of the virtual cluster's API is not known yet".to_owned(),
        ));
    };
    let namespace = pod.text("/metadata/namespace");
    let wants_services = pod.at("/spec/enableServiceLinks").as_bool().unwrap_or(true);
    Ok(Surroundings {
        namespace_labels: namespace_labels(sides, namespace),
        services: if wants_services {
            services(sides, namespace)
        } else {
            Vec::new()
        },
        namespaces: namespaces(sides, pod),
        keys: keys(sides, pod),
        dns: dns(sides),
        api,
        priority_class: priority_class(sides, pod)?,
    })
}

fn services(sides: &Sides<'_>, namespace: &str) -> Vec<Service> {
    let all = sides.virtual_cluster.list(&resource::SERVICES, Some(namespace));
    let others = all
        .iter()
        .filter(|service| namespace != "default" || service.meta().name != "kubernetes");
    others.filter_map(|service| service.view().ok()).collect()
}

/// The labels of a namespace of the virtual cluster.
pub(super) fn namespace_labels(sides: &Sides<'_>, namespace: &str) -> Vec<(String, String)> {
    let found = sides
        .virtual_cluster
        .get(&resource::NAMESPACES, &ObjectKey::cluster(namespace));
    found.map(|object| labels(&object)).unwrap_or_default()
}

fn labels(object: &Object) -> Vec<(String, String)> {
    let labels = object.meta().labels.iter();
    labels
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// All namespaces, if the pod's affinity looks at them.
pub(super) fn namespaces(sides: &Sides<'_>, pod: &Value) -> Vec<NamespaceLabels> {
    let affinity = pod.at("/spec/affinity");
    if affinity.field("podAffinity").is_null() && affinity.field("podAntiAffinity").is_null() {
        return Vec::new();
    }
    let all = sides.virtual_cluster.list(&resource::NAMESPACES, None);
    all.iter()
        .map(|object| (object.meta().name.to_string(), labels(object)))
        .collect()
}

/// The keys of what `envFrom` names.
fn keys(sides: &Sides<'_>, pod: &Value) -> std::collections::BTreeMap<(&'static str, String), Vec<String>> {
    let namespace = pod.text("/metadata/namespace");
    let containers = CONTAINERS
        .iter()
        .flat_map(|list| pod.at("/spec").field(list).as_array().into_iter().flatten());
    let mut found = std::collections::BTreeMap::new();
    for (resource, name, _) in containers.flat_map(env_from) {
        let key = ObjectKey::namespaced(namespace, name);
        let object = sides
            .virtual_cluster
            .get(resource, &key)
            .map(|object| object.to_value());
        let keys = object
            .iter()
            .flat_map(|object| object.at("/data").as_object().into_iter().flatten());
        found.insert(
            (resource.plural, name.to_owned()),
            keys.map(|(key, _)| key.clone()).collect(),
        );
    }
    found
}

fn dns(sides: &Sides<'_>) -> Dns {
    let own = sides.binding.dns.as_ref().map(ToString::to_string);
    Dns {
        nameserver: own.or_else(|| dns_service(sides)),
        domain: sides.binding.spec.networking.advanced.cluster_domain.clone(),
    }
}

/// The address of a DNS server that the tenant runs.
fn dns_service(sides: &Sides<'_>) -> Option<String> {
    let key = ObjectKey::namespaced(DNS_SERVICE.0, DNS_SERVICE.1);
    let service = sides.virtual_cluster.get(&resource::SERVICES, &key)?.to_value();
    let address = service.text("/spec/clusterIP");
    (!matches!(address, "" | "None")).then(|| address.to_owned())
}

/// The host's name of the pod's priority class: one that the tenant made and the host has, or one that the host shows.
/// Any other of the tenant's would mean a class of the host by chance.
fn priority_class(sides: &Sides<'_>, pod: &Value) -> Result<Option<String>, ReconcileError> {
    let name = pod.text("/spec/priorityClassName");
    let Some(host) = priority_class::host_name(sides, name) else {
        return Ok(None);
    };
    let there = sides
        .host
        .get(&resource::PRIORITY_CLASSES, &ObjectKey::cluster(host.clone()));
    if there.is_none() {
        let why = format!("the priority class {name:?} is not on the host yet");
        return Err(ReconcileError::Retry(why));
    }
    Ok(Some(host.to_string()))
}
