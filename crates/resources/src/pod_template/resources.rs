//! Requests and limits: names, quantities, and how they relate; resource claims; resize policies.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

use super::containers::is_sidecar;
use super::spec::Cx;
use crate::check::{self, Errors};

/// Unprefixed names that any resource list may hold.
const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "services.nodeports",
    "services.loadbalancers",
];
/// Resources that are counted in whole numbers.
const WHOLE: &[&str] = &[
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const HUGE_PAGES: &str = "hugepages-";

/// A quantity as upstream prints it, or the text itself where it is none; empty for nothing.
pub(super) fn plain_quantity(value: &Value) -> String {
    match (Quantity::from_json(value), value) {
        (_, Value::Null) => String::new(),
        (Ok(quantity), _) => quantity.to_string(),
        (Err(_), other) => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// A quantity, zero where it is absent or none: the schema refuses what is no quantity before any of this runs.
pub(super) fn quantity(value: &Value) -> Quantity {
    Quantity::from_json(value).unwrap_or(Quantity::ZERO)
}

/// Whether a name belongs to Kubernetes itself.
fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

fn is_huge_page(resource: &str) -> bool {
    resource.starts_with(HUGE_PAGES)
}

/// Whether a container may ask for less of a resource than its limit.
pub(crate) fn is_overcommit_allowed(resource: &str) -> bool {
    is_native(resource) && !is_huge_page(resource)
}

fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && name::qualified_name(&format!("requests.{resource}")).is_empty()
}

/// Whether any resource list may hold this unprefixed name.
pub(crate) fn is_standard(resource: &str) -> bool {
    STANDARD.contains(&resource)
}

/// Checks the name of a resource.
pub(crate) fn resource_name(errors: &mut Errors, path: &Path, resource: &str) {
    let wrong = name::qualified_name(resource);
    if !wrong.is_empty() {
        check::text(errors, path, resource, wrong);
    } else if !resource.contains('/')
        && !is_standard(resource)
        && !is_huge_page(resource)
        && !resource.starts_with("requests.hugepages-")
    {
        errors.push(Error::invalid(
            path,
            resource,
            "must be a standard resource type or fully qualified",
        ));
    }
}

/// Checks the name of a resource that a container asks for.
pub(crate) fn container_resource_name(errors: &mut Errors, path: &Path, resource: &str) {
    resource_name(errors, path, resource);
    if !resource.contains('/') {
        let is_known = matches!(resource, "cpu" | "memory" | "ephemeral-storage");
        if !is_known && !is_huge_page(resource) {
            errors.push(Error::invalid(
                path,
                resource,
                "must be a standard resource for containers",
            ));
        }
    } else if !is_native(resource) && !is_extended(resource) {
        errors.push(Error::invalid(
            path,
            resource,
            "doesn't follow extended resource name standard",
        ));
    }
}

fn pod_resource_name(errors: &mut Errors, path: &Path, resource: &str) {
    let before = errors.len();
    resource_name(errors, path, resource);
    if errors.len() == before && !matches!(resource, "cpu" | "memory") && !is_huge_page(resource) {
        errors.push(Error::not_supported(
            path,
            resource,
            &["cpu", "hugepages-", "memory"],
        ));
    }
}

/// Checks how much of a resource is asked for.
pub(crate) fn quantity_value(errors: &mut Errors, path: &Path, resource: &str, value: &Value) {
    let amount = quantity(value);
    if amount < Quantity::ZERO {
        errors.push(Error::invalid(path, amount.to_string(), check::NOT_NEGATIVE));
    }
    let is_whole = WHOLE.contains(&resource) || is_extended(resource);
    if is_whole && amount.milli_value() % 1000 != 0 {
        errors.push(Error::invalid(path, amount.to_string(), "must be an integer"));
    }
}

/// Checks a container's `resources`.
pub(super) fn requirements(errors: &mut Errors, path: &Path, resources: &Value, cx: &Cx<'_>) {
    requests_and_limits(errors, path, resources, container_resource_name);
    claims(errors, &path.child("claims"), resources.items("/claims"), cx);
}

/// Checks `overhead`, which is a list of limits.
pub(crate) fn overhead(errors: &mut Errors, path: &Path, overhead: &Value) {
    let limits = path.child("limits");
    for (resource, amount) in overhead.as_object().into_iter().flatten() {
        let at = limits.key(resource);
        container_resource_name(errors, &at, resource);
        quantity_value(errors, &at, resource, amount);
    }
}

fn requests_and_limits(
    errors: &mut Errors,
    path: &Path,
    resources: &Value,
    name_rule: fn(&mut Errors, &Path, &str),
) {
    let (limits, requests) = (resources.field("limits"), resources.field("requests"));
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    let (mut plain, mut huge) = (false, false);
    let mut each = |errors: &mut Errors, at: &Path, resource: &str, amount: &Value| {
        name_rule(errors, at, resource);
        quantity_value(errors, at, resource, amount);
        plain |= matches!(resource, "cpu" | "memory");
        huge |= is_huge_page(resource);
        whole_huge_pages(errors, at, resource, amount);
    };
    for (resource, amount) in limits.as_object().into_iter().flatten() {
        each(errors, &limits_path.key(resource), resource, amount);
    }
    for (resource, amount) in requests.as_object().into_iter().flatten() {
        each(errors, &requests_path.key(resource), resource, amount);
        let (asked, limit) = (quantity(amount), limits.field(resource));
        if limit.is_null() {
            if !is_overcommit_allowed(resource) {
                errors.push(Error::required(
                    &limits_path,
                    "Limit must be set for non overcommitable resources",
                ));
            }
            continue;
        }
        let limit = quantity(limit);
        let problem = if asked != limit && !is_overcommit_allowed(resource) {
            format!("must be equal to {resource} limit of {limit}")
        } else if asked > limit {
            format!("must be less than or equal to {resource} limit of {limit}")
        } else {
            continue;
        };
        errors.push(Error::invalid(&requests_path, asked.to_string(), problem));
    }
    if huge && !plain {
        errors.push(Error::forbidden(path, "HugePages require cpu or memory"));
    }
}

fn whole_huge_pages(errors: &mut Errors, path: &Path, resource: &str, amount: &Value) {
    let Some(page) = resource
        .strip_prefix(HUGE_PAGES)
        .and_then(|size| Quantity::parse(size).ok())
    else {
        return;
    };
    let amount = quantity(amount);
    if page.value() <= 0 || amount.value() % page.value() != 0 {
        errors.push(Error::invalid(
            path,
            amount.to_string(),
            format!("{amount} is not positive integer multiple of {resource}"),
        ));
    }
}

/// Checks the references of a container to the pod's resource claims.
fn claims(errors: &mut Errors, path: &Path, claims: &[Value], cx: &Cx<'_>) {
    let mut seen = HashSet::new();
    for (at, claim) in claims.iter().enumerate() {
        let (name, request, at) = (claim.text("/name"), claim.text("/request"), path.index(at));
        if !check::required(errors, &at, name) {
            continue;
        }
        if !request.is_empty() {
            check::dns_label(errors, &at.child("request"), request);
        }
        if !seen.insert((name, request)) {
            errors.push(Error::duplicate(&at, name));
        }
        if !cx.claims.contains(&name) {
            let mut names = cx.claims.clone();
            names.sort_unstable();
            let mut error = Error::not_found(&at, name);
            error.detail = if names.is_empty() {
                "must be one of the names in pod.spec.resourceClaims which is empty".to_owned()
            } else {
                format!(
                    "must be one of the names in pod.spec.resourceClaims: {}",
                    names.join(", ")
                )
            };
            errors.push(error);
        }
    }
}

/// Checks the pod's own `resourceClaims`.
pub(super) fn pod_claims(errors: &mut Errors, path: &Path, claims: &[Value]) {
    let mut names = HashSet::new();
    for (at, claim) in claims.iter().enumerate() {
        let (name, at) = (claim.text("/name"), path.index(at));
        if check::required(errors, &at.child("name"), name) {
            if names.insert(name) {
                check::dns_label(errors, &at.child("name"), name);
            } else {
                errors.push(Error::duplicate(&at.child("name"), name));
            }
        }
        let sources = ["resourceClaimName", "resourceClaimTemplateName"];
        let given = sources
            .iter()
            .filter(|field| claim.field(field).is_string())
            .count();
        match given {
            1 => {}
            0 => errors.push(Error::invalid(
                &at,
                claim.clone(),
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            )),
            _ => errors.push(Error::invalid(
                &at,
                claim.clone(),
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            )),
        }
        for field in sources {
            if let Some(name) = claim.field(field).as_str() {
                check::dns_subdomain(errors, &at.child(field), name);
            }
        }
    }
}

/// Checks `resizePolicy`.
pub(super) fn resize_policy(errors: &mut Errors, path: &Path, container: &Value, cx: &Cx<'_>) {
    let mut seen = HashSet::new();
    for (at, policy) in container.items("/resizePolicy").iter().enumerate() {
        let (resource, restart) = (policy.text("/resourceName"), policy.text("/restartPolicy"));
        if !seen.insert(resource) {
            errors.push(Error::duplicate(&path.index(at), resource));
        }
        check::required_one_of(errors, path, resource, &["cpu", "memory"]);
        check::required_one_of(errors, path, restart, &["NotRequired", "RestartContainer"]);
        if cx.restart_policy == "Never" && restart != "NotRequired" {
            errors.push(Error::invalid(
                path,
                restart,
                "must be 'NotRequired' when `restartPolicy` is 'Never'",
            ));
        }
    }
}

/// Checks `resources` of the pod itself, and that its containers fit into it.
pub(super) fn pod_level(errors: &mut Errors, path: &Path, spec: &Value, cx: &Cx<'_>) {
    let resources = spec.field("resources");
    if resources.is_null() {
        return;
    }
    if !resources.items("/claims").is_empty() {
        errors.push(Error::forbidden(
            &path.child("claims"),
            "claims cannot be set for Resources at pod-level",
        ));
    }
    requests_and_limits(errors, path, resources, pod_resource_name);
    claims(errors, &path.child("claims"), resources.items("/claims"), cx);
    let requests = path.child("requests");
    for (resource, asked) in container_requests(spec) {
        let given = quantity(resources.field("requests").field(&resource));
        if asked > given {
            errors.push(Error::invalid(
                &requests.key(&resource),
                given.to_string(),
                format!("must be greater than or equal to aggregate container requests of {asked}"),
            ));
        }
    }
    for (at, container) in spec.items("/containers").iter().enumerate() {
        let limits = container.at("/resources/limits").as_object();
        for (resource, limit) in limits.into_iter().flatten() {
            let pod_limit = resources.field("limits").field(resource);
            if !pod_limit.is_null() && quantity(limit) > quantity(pod_limit) {
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
}

/// What all containers ask for together: the sum of the regular ones and the sidecars, or the largest init
/// container with the sidecars before it.
fn container_requests(spec: &Value) -> Vec<(String, Quantity)> {
    let mut resources: Vec<&String> = spec
        .items("/containers")
        .iter()
        .chain(spec.items("/initContainers"))
        .filter_map(|container| container.at("/resources/requests").as_object())
        .flat_map(|requests| requests.keys())
        .collect();
    resources.sort_unstable();
    resources.dedup();
    resources
        .into_iter()
        .map(|resource| {
            let of = |container: &Value| quantity(container.at("/resources/requests").field(resource));
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
            (resource.clone(), running.max(largest))
        })
        .collect()
}
