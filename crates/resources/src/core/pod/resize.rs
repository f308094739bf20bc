//! Updates through `pods/resize`: only cpu and memory of containers and of the pod change.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::ephemeral::refused_for_static;
use super::{qos_class, validate_pod};
use crate::check::{Errors, same};
use crate::pod_template::elements;

/// Checks an update.
pub(super) fn validate(new: &Value, old: &Value) -> Errors {
    if let Some(refused) = refused_for_static(old, "static pods cannot be resized") {
        return refused;
    }
    if old.text("/spec/os/name") == "windows" {
        return vec![Error::forbidden(
            &Path::new("[]"),
            "windows pods cannot be resized",
        )];
    }
    let mut errors = Errors::new();
    validate_pod(&mut errors, new);
    let (path, spec, was) = (Path::new("spec"), new.field("spec"), old.field("spec"));
    if old.text("/status/qosClass") != qos_class(spec) {
        errors.push(Error::invalid(
            &path,
            new.text("/status/qosClass"),
            "Pod QOS Class may not change as a result of resizing",
        ));
    }
    if !is_supported(old) {
        errors.push(Error::forbidden(
            &path,
            "Pod running on node without support for resize",
        ));
    }
    let mut munged = spec.clone();
    whole_pod(&mut errors, &path, &mut munged, was);
    if !old
        .items("/status/nodeAllocatableResourceClaimStatuses")
        .is_empty()
    {
        errors.push(Error::forbidden(
            &path,
            "pods with node allocatable resource claims cannot be resized",
        ));
    }
    if !same_containers(&mut errors, &path, spec, was) {
        return errors;
    }
    removed(&mut errors, &path, spec, was);
    only_compute(&mut errors, &path, &mut munged, was);
    if errors.is_empty() && !same(&munged, was) {
        errors.push(Error::forbidden(
            &path,
            "only cpu and memory resources are mutable",
        ));
    }
    errors
}

/// A node that can resize reports the resources of what it runs.
fn is_supported(old: &Value) -> bool {
    let running = |status: &&Value| !status.at("/state/running").is_null();
    let first = old.items("/status/containerStatuses").iter().find(running);
    first.is_none_or(|status| !status.field("resources").is_null())
}

fn whole_pod(errors: &mut Errors, path: &Path, munged: &mut Value, was: &Value) {
    let (now, before) = (munged.field("resources").clone(), was.field("resources"));
    let is_set = |resources: &Value| {
        ["requests", "limits"].iter().any(|list| {
            resources
                .field(list)
                .as_object()
                .is_some_and(|list| !list.is_empty())
        })
    };
    if !is_set(&now) && !is_set(before) {
        return;
    }
    let resources = path.child("resources");
    if now.is_null() {
        errors.push(Error::forbidden(
            &resources,
            "pod-level resources cannot be removed",
        ));
        return;
    }
    for list in ["requests", "limits"] {
        if is_removed(now.field(list), before.field(list)) {
            errors.push(Error::forbidden(
                &resources.child(list),
                format!("pod-level resource {list} cannot be removed"),
            ));
        }
    }
    forget_compute(munged, was);
    if !same(munged.field("resources"), before) {
        errors.push(Error::forbidden(
            path,
            "only cpu and memory resources are mutable at pod-level",
        ));
    }
}

fn same_containers(errors: &mut Errors, path: &Path, spec: &Value, was: &Value) -> bool {
    let before = errors.len();
    for list in ["containers", "initContainers"] {
        let pointer = format!("/{list}");
        let (now, then, path) = (spec.items(&pointer), was.items(&pointer), path.child(list));
        if now.len() != then.len() {
            errors.push(Error::forbidden(
                &path,
                format!("{list} may not be added or removed on resize"),
            ));
            continue;
        }
        for (at, (now, then)) in now.iter().zip(then).enumerate() {
            if now.text("/name") != then.text("/name") {
                errors.push(Error::forbidden(
                    &path.index(at).child("name"),
                    format!("{list} may not be renamed or reordered on resize"),
                ));
            }
        }
    }
    errors.len() == before
}

fn removed(errors: &mut Errors, path: &Path, spec: &Value, was: &Value) {
    for containers in ["initContainers", "containers"] {
        let pointer = format!("/{containers}");
        for (at, (now, then)) in spec.items(&pointer).iter().zip(was.items(&pointer)).enumerate() {
            let path = path.child(containers).index(at).child("resources");
            for list in ["requests", "limits"] {
                let (now, then) = (
                    now.field("resources").field(list),
                    then.field("resources").field(list),
                );
                if is_removed(now, then) {
                    errors.push(Error::forbidden(
                        &path.child(list),
                        format!("resource {list} cannot be removed"),
                    ));
                }
            }
        }
    }
}

fn is_removed(now: &Value, then: &Value) -> bool {
    let mut names = then.as_object().into_iter().flatten().map(|(name, _)| name);
    names.any(|name| now.field(name).is_null())
}

/// Gives cpu and memory their old values and tells what else is not as it was.
fn only_compute(errors: &mut Errors, path: &Path, munged: &mut Value, was: &Value) {
    for (container, then) in elements(munged, "/containers")
        .iter_mut()
        .zip(was.items("/containers"))
    {
        forget_compute(container, then);
        if !same(container, then) {
            errors.push(Error::forbidden(
                path,
                "only cpu and memory resources are mutable",
            ));
        }
    }
    let inits = path.child("initContainers");
    let then = was.items("/initContainers");
    for (at, (container, then)) in elements(munged, "/initContainers")
        .iter_mut()
        .zip(then)
        .enumerate()
    {
        let is_changed = !same(container, then);
        forget_compute(container, then);
        if !same(container, then) {
            errors.push(Error::forbidden(
                &inits.index(at),
                "only cpu and memory resources for init or sidecar containers are mutable",
            ));
        }
        let policies = container.items("/resizePolicy").iter();
        let restarts = policies.filter(|policy| policy.text("/restartPolicy") == "RestartContainer");
        if is_changed && container.text("/restartPolicy") != "Always" {
            errors.extend(restarts.map(|_| {
                Error::forbidden(
                    &inits.index(at),
                    "non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
                )
            }));
        }
    }
}

fn forget_compute(owner: &mut Value, was: &Value) {
    for list in ["requests", "limits"] {
        for resource in ["cpu", "memory"] {
            let pointer = format!("/resources/{list}/{resource}");
            match was.at(&pointer) {
                Value::Null => {
                    owner.take_at(&pointer);
                }
                value => owner.set(&pointer, value.clone()),
            }
        }
    }
}
