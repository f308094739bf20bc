//! The host Service of a virtual one. Pure.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};
use warren_translate::Virtual;

use crate::applied::{APPLIED, Applied, Parts, metadata_parts};
use crate::binding::Binding;
use crate::patches::{self, Scene};
use crate::sides::host_metadata;

/// The part of the base that stands for `spec`.
pub(super) const SPEC: &str = "spec";
/// The fields of `spec` that the host may fill in.
const OF_THE_HOST: &[&str] = &[
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "healthCheckNodePort",
];

/// The fields of `spec` that the host Service takes over as they are, when they are set.
const KEPT: &[&str] = &[
    "type",
    "ports",
    "sessionAffinity",
    "sessionAffinityConfig",
    "externalName",
    "externalIPs",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "trafficDistribution",
    "ipFamilyPolicy",
    "ipFamilies",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "allocateLoadBalancerNodePorts",
    "healthCheckNodePort",
    "publishNotReadyAddresses",
];

/// What the host Service should be, base included. Addresses are left to the host, but for `None` (headless). `there` is
/// the host Service as it is now.
///
/// # Errors
/// Which patch of the configuration fails, and why.
pub(crate) fn host_service(binding: &Binding, service: &Value, there: &Value) -> Result<Value, String> {
    let tenant = &binding.tenant;
    let mut spec = Map::new();
    for field in KEPT {
        let value = service.at("/spec").field(field);
        if !value.is_null() {
            spec.insert((*field).to_owned(), value.clone());
        }
    }
    if service.text("/spec/clusterIP") == "None" {
        spec.insert("clusterIP".to_owned(), json!("None"));
    }
    let selector = service
        .at("/spec/selector")
        .as_object()
        .filter(|selector| !selector.is_empty());
    if let Some(selector) = selector {
        let namespace = Virtual(service.text("/metadata/namespace"));
        spec.insert(
            "selector".to_owned(),
            tenant.host_selector_map(selector, namespace),
        );
    }
    let metadata = host_metadata(binding, &resource::SERVICES, service);
    let mut object = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
    let scene = Scene {
        binding,
        virtual_object: service,
        host_object: there,
    };
    patches::to_host(&binding.spec.sync.to_host.services.patches, &scene, &mut object)?;
    let base = Applied::of(&parts(&object));
    if let Some(annotations) = object.object_at("/metadata/annotations") {
        annotations.insert(APPLIED.to_owned(), base.to_text().into());
    }
    Ok(object)
}

/// The parts of a wanted host Service. What the host may fill in is none: the virtual Service takes it over.
pub(super) fn parts(wanted: &Value) -> Parts {
    let mut parts = Parts::new();
    metadata_parts(wanted.at("/metadata"), &mut parts);
    let mut spec = wanted.at("/spec").clone();
    for field in OF_THE_HOST {
        spec.take_at(&format!("/{field}"));
    }
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        port.take_at("/nodePort");
    }
    parts.insert(SPEC.to_owned(), spec);
    parts
}

/// `wanted` as a merge patch of the spec `there`: what is no longer wanted goes, addresses stay the host's.
pub(super) fn replaced(there: &Value, wanted: &Value) -> Value {
    let mut patch = wanted.clone();
    if wanted.text("/type") == "ExternalName" {
        for field in OF_THE_HOST {
            patch.set(&format!("/{field}"), Value::Null);
        }
    }
    for field in KEPT.iter().chain(&["selector"]) {
        if wanted.field(field).is_null() && !there.field(field).is_null() && !OF_THE_HOST.contains(field) {
            patch.set(&format!("/{field}"), Value::Null);
        }
    }
    let selector = wanted.at("/selector");
    for key in there
        .at("/selector")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        if selector.is_object()
            && selector.field(key).is_null()
            && let Some(selector) = patch.object_at("/selector")
        {
            selector.insert(key.clone(), Value::Null);
        }
    }
    patch
}

/// Asks for the addresses that the virtual Service has.
pub(super) fn keep_addresses(wanted: &mut Value, service: &Value) {
    for field in ["clusterIP", "clusterIPs"] {
        let value = service.at("/spec").field(field);
        if !value.is_null() {
            wanted.set(&format!("/spec/{field}"), value.clone());
        }
    }
}

/// The virtual cluster's own API, and its name server where it has one: the host Services of these are not the rule's.
pub(crate) fn is_own(binding: &Binding, key: &ObjectKey) -> bool {
    match (key.namespace.as_str(), key.name.as_str()) {
        ("default", "kubernetes") => true,
        ("kube-system", "kube-dns") => binding.dns.is_some(),
        _ => false,
    }
}
