//! Requests and limits: names, quantities, and how they relate; resize policies.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

use super::claims;
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

/// Whether a resource is pages of one size.
pub(super) fn is_huge_page(resource: &str) -> bool {
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
    claims::of_container(errors, &path.child("claims"), resources.items("/claims"), cx);
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

/// Checks `requests` against `limits`, and their names by a rule.
pub(super) fn requests_and_limits(
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
    let Some(size) = resource.strip_prefix(HUGE_PAGES) else {
        return;
    };
    let (page, amount) = (Quantity::parse(size).unwrap_or(Quantity::ZERO), quantity(amount));
    let is_size = page > Quantity::ZERO && page.milli_value() % 1000 == 0;
    if !is_size || amount.value() % page.value() != 0 {
        errors.push(Error::invalid(
            path,
            amount.to_string(),
            format!("{amount} is not positive integer multiple of {resource}"),
        ));
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
                "must be 'NotRequired' when pod `restartPolicy` is 'Never'",
            ));
        }
    }
}
