//! Resources of a pod as a whole: what they default to from its containers, and that the containers fit into them.

use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

use super::claims;
use super::containers::is_sidecar;
use super::resources::{is_huge_page, is_overcommit_allowed, quantity, requests_and_limits, resource_name};
use super::spec::Cx;
use crate::check::Errors;

fn name(errors: &mut Errors, path: &Path, resource: &str) {
    let before = errors.len();
    resource_name(errors, path, resource);
    if errors.len() == before && !is_supported(resource) {
        errors.push(Error::not_supported(
            path,
            resource,
            &["cpu", "hugepages-", "memory"],
        ));
    }
}

/// What a pod as a whole can ask for.
fn is_supported(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || is_huge_page(resource)
}

/// Fills in what the pod's containers or its limits imply, where the pod says something of its resources.
pub(super) fn default(spec: &mut Value) {
    let is_set = |spec: &Value, list: &str| {
        let list = spec.field("resources").field(list);
        list.as_object().is_some_and(|list| !list.is_empty())
    };
    if !is_set(spec, "limits") && !is_set(spec, "requests") {
        return;
    }
    let pages = total(spec, "limits")
        .into_iter()
        .filter(|(resource, _)| is_huge_page(resource))
        .filter(|(resource, _)| spec.at("/resources/requests").field(resource).is_null());
    let pages: Vec<_> = pages.collect();
    fill(spec, "/resources/limits", pages);
    if !is_set(spec, "limits") {
        return;
    }
    let asked = total(spec, "requests")
        .into_iter()
        .filter(|(resource, _)| is_supported(resource) && is_overcommit_allowed(resource));
    let asked: Vec<_> = asked.collect();
    fill(spec, "/resources/requests", asked);
    let limits: Vec<_> = spec
        .at("/resources/limits")
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(resource, _)| is_supported(resource))
        .map(|(resource, limit)| (resource.clone(), quantity(limit)))
        .collect();
    fill(spec, "/resources/requests", limits);
}

fn fill(spec: &mut Value, pointer: &str, amounts: Vec<(String, Quantity)>) {
    if amounts.is_empty() {
        return;
    }
    if spec.at(pointer).is_null() {
        spec.set(pointer, Map::new());
    }
    if let Some(list) = spec.object_at(pointer) {
        for (resource, amount) in amounts {
            list.entry(resource).or_insert_with(|| amount.to_string().into());
        }
    }
}

/// Checks `resources` of the pod itself, and that its containers fit into it.
pub(super) fn validate(errors: &mut Errors, path: &Path, spec: &Value, cx: &Cx<'_>) {
    let resources = spec.field("resources");
    if resources.is_null() {
        return;
    }
    if spec.text("/os/name") == "windows" {
        errors.push(Error::forbidden(path, "may not be set for a windows pod"));
        return;
    }
    if !resources.items("/claims").is_empty() {
        errors.push(Error::forbidden(
            &path.child("claims"),
            "claims may not be set for Resources at pod-level",
        ));
    }
    requests_and_limits(errors, path, resources, name);
    claims::of_container(errors, &path.child("claims"), resources.items("/claims"), cx);
    at_least_all(errors, path, spec, "requests");
    at_least_all(errors, path, spec, "limits");
    at_least_each_limit(errors, path, spec);
}

/// Together, the containers' requests and their huge pages fit into the pod's.
fn at_least_all(errors: &mut Errors, path: &Path, spec: &Value, list: &str) {
    let given = spec.field("resources").field(list);
    for (resource, all) in total(spec, list) {
        let own = given.field(&resource);
        if own.is_null() || (list == "limits" && !is_huge_page(&resource)) || all <= quantity(own) {
            continue;
        }
        errors.push(Error::invalid(
            &path.child(list).key(&resource),
            quantity(own).to_string(),
            format!("must be greater than or equal to aggregate container {list} of {all}"),
        ));
    }
}

fn at_least_each_limit(errors: &mut Errors, path: &Path, spec: &Value) {
    let limits = spec.at("/resources/limits");
    for (at, container) in spec.items("/containers").iter().enumerate() {
        let own = container.at("/resources/limits").as_object();
        for (resource, limit) in own.into_iter().flatten() {
            let pod_limit = limits.field(resource);
            if pod_limit.is_null() || quantity(limit) <= quantity(pod_limit) {
                continue;
            }
            let at = path.child("containers").index(at).key(resource);
            errors.push(Error::invalid(
                &at.child("limits"),
                quantity(limit).to_string(),
                format!(
                    "must be less than or equal to pod limits of {}",
                    quantity(pod_limit)
                ),
            ));
        }
    }
}

/// What all containers have together in a list: the sum of the regular ones and the sidecars, or the largest init
/// container with the sidecars before it.
fn total(spec: &Value, list: &str) -> Vec<(String, Quantity)> {
    let all = spec
        .items("/containers")
        .iter()
        .chain(spec.items("/initContainers"));
    let mut resources: Vec<String> = all
        .filter_map(|container| container.field("resources").field(list).as_object())
        .flat_map(|amounts| amounts.keys().cloned())
        .collect();
    resources.sort_unstable();
    resources.dedup();
    resources
        .into_iter()
        .map(|resource| {
            let of = |container: &Value| quantity(container.field("resources").field(list).field(&resource));
            let mut running: Quantity = spec.items("/containers").iter().map(of).sum();
            let (mut sidecars, mut largest) = (Quantity::ZERO, Quantity::ZERO);
            for init in spec.items("/initContainers") {
                if is_sidecar(init) {
                    running += of(init);
                    sidecars += of(init);
                    largest = largest.max(sidecars);
                } else {
                    largest = largest.max(sidecars + of(init));
                }
            }
            (resource, running.max(largest))
        })
        .collect()
}
