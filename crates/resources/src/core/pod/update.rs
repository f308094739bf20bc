//! What may change in a pod: by an update, by its ephemeral containers, by a resize.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::{qos_class, validate_pod};
use crate::check::{Errors, same};
use crate::diff::diff;
use crate::pod_template::elements;

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Checks an update of the main part; `validate_pod` has looked at the new pod by itself.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
    annotations(errors, new, old);
    let path = Path::new("spec");
    for list in ["containers", "initContainers"] {
        let (now, was) = (new.field("spec").field(list), old.field("spec").field(list));
        if length(now) != length(was) {
            errors.push(Error::forbidden(
                &path.child(list),
                "pod updates may not add or remove containers",
            ));
            return;
        }
    }
    if !active_deadline(errors, &path.child("activeDeadlineSeconds"), new, old) {
        return;
    }
    tolerations_only_added(errors, &path.child("tolerations"), new, old);
    gates_only_removed(errors, &path.child("schedulingGates"), new, old);
    let (spec, was) = (new.field("spec"), old.field("spec"));
    if same(spec, was) {
        return;
    }
    let mut munged = spec.clone();
    overlook(&mut munged, was);
    if !was.items("/schedulingGates").is_empty() {
        gated(errors, &path, &mut munged, was);
    }
    if !same(&munged, was) {
        let difference = diff("core.PodSpec", was, &munged);
        errors.push(Error::forbidden(
            &path,
            format!("pod updates may not change fields other than {UPDATABLE}\n{difference}"),
        ));
    }
}

fn length(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

/// Annotations that the kubelet or the kernel hold on to.
pub(super) fn annotations(errors: &mut Errors, new: &Value, old: &Value) {
    const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
    let path = Path::new("metadata.annotations");
    let (now, was) = (new.at("/metadata/annotations"), old.at("/metadata/annotations"));
    let mut refuse = |key: &str, verb: &str| {
        if key.starts_with(APP_ARMOR) {
            errors.push(Error::forbidden(
                &path.key(key),
                format!("may not {verb} AppArmor annotations"),
            ));
        }
        if key == MIRROR {
            errors.push(Error::forbidden(
                &path.key(key),
                format!("may not {verb} mirror pod annotation"),
            ));
        }
    };
    for (key, value) in was.as_object().into_iter().flatten() {
        if now.field(key) != value {
            refuse(key, "remove or update");
        }
    }
    for key in now.as_object().into_iter().flatten().map(|(key, _)| key) {
        if was.field(key).is_null() {
            refuse(key, "add");
        }
    }
}

/// From nothing to a value, or from a value to a smaller one; `false` ends the validation, as upstream.
fn active_deadline(errors: &mut Errors, path: &Path, new: &Value, old: &Value) -> bool {
    const FIELD: &str = "/spec/activeDeadlineSeconds";
    match (new.int(FIELD), old.int(FIELD)) {
        (Some(now), was) => {
            if let Some(message) = name::in_range(now, 0, i64::from(i32::MAX)).into_iter().next() {
                errors.push(Error::invalid(path, now, message));
                return false;
            }
            if was.is_some_and(|was| was < now) {
                errors.push(Error::invalid(
                    path,
                    now,
                    "must be less than or equal to previous value",
                ));
                return false;
            }
        }
        (None, Some(_)) => errors.push(Error::invalid(
            path,
            Value::Null,
            "must not update from a positive integer to nil value",
        )),
        (None, None) => {}
    }
    true
}

fn tolerations_only_added(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        toleration.take_at("/tolerationSeconds");
        toleration
    };
    let now: Vec<Value> = new
        .items("/spec/tolerations")
        .iter()
        .map(without_seconds)
        .collect();
    let kept = old
        .items("/spec/tolerations")
        .iter()
        .map(without_seconds)
        .all(|was| now.iter().any(|now| same(now, &was)));
    if !kept {
        errors.push(Error::forbidden(
            path,
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
}

fn gates_only_removed(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    let was = old.items("/spec/schedulingGates");
    for (at, gate) in new.items("/spec/schedulingGates").iter().enumerate() {
        let name = gate.text("/name");
        if !was.iter().any(|old| old.text("/name") == name) {
            errors.push(Error::forbidden(
                &path.index(at).child("name"),
                format!("only deletion is allowed, but found new scheduling gate '{name}'"),
            ));
        }
    }
}

/// Gives the fields that may change their old values, so that only forbidden changes stay.
fn overlook(munged: &mut Value, was: &Value) {
    for list in ["/containers", "/initContainers"] {
        for (container, was) in elements(munged, list).iter_mut().zip(was.items(list)) {
            restore(container, was, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        restore(munged, was, field);
    }
    const GRACE: &str = "/terminationGracePeriodSeconds";
    if was.int(GRACE).is_some_and(|seconds| seconds < 0) && munged.int(GRACE) == Some(1) {
        restore(munged, was, "terminationGracePeriodSeconds");
    }
}

fn restore(munged: &mut Value, was: &Value, field: &str) {
    let pointer = format!("/{field}");
    match was.field(field) {
        Value::Null => {
            munged.take_at(&pointer);
        }
        value => munged.set(&pointer, value.clone()),
    }
}

/// A pod that scheduling gates hold may still be narrowed to fewer nodes.
fn gated(errors: &mut Errors, path: &Path, munged: &mut Value, was: &Value) {
    let (selector, old) = (munged.field("nodeSelector"), was.field("nodeSelector"));
    let kept = old
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| selector.field(key) == value);
    if !kept {
        errors.push(Error::invalid(
            &path.child("nodeSelector"),
            selector.clone(),
            "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
        ));
    }
    restore(munged, was, "nodeSelector");
    const TERMS: &str =
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let terms_path = path
        .child("affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")
        .child("nodeSelectorTerms");
    let (terms, old_terms) = (munged.items(TERMS), was.items(TERMS));
    if !old_terms.is_empty() && old_terms.len() != terms.len() {
        errors.push(Error::invalid(
            &terms_path,
            terms.to_vec(),
            "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
        ));
    } else {
        for (at, (term, old)) in terms.iter().zip(old_terms).enumerate() {
            if !only_adds(term, old) {
                errors.push(Error::invalid(
                    &terms_path.index(at),
                    term.clone(),
                    "only additions are allowed (no mutations or deletions)",
                ));
            }
        }
    }
    match was.at("/affinity/nodeAffinity") {
        Value::Null => {
            munged.take_at("/affinity/nodeAffinity");
        }
        old => munged.set("/affinity/nodeAffinity", old.clone()),
    }
}

fn only_adds(term: &Value, old: &Value) -> bool {
    let lists = ["/matchExpressions", "/matchFields"];
    let is_empty = |term: &Value| lists.iter().all(|list| term.items(list).is_empty());
    if is_empty(old) {
        return is_empty(term);
    }
    lists.iter().all(|list| {
        let (now, was) = (term.items(list), old.items(list));
        now.len() >= was.len() && now.iter().zip(was).all(|(now, was)| same(now, was))
    })
}

/// Checks an update through `pods/ephemeralcontainers`: they may be added, not changed.
pub(super) fn ephemeral_containers(new: &Value, old: &Value) -> Errors {
    let mut errors = Errors::new();
    if let Some(refused) = refused_for_static(old, "static pods do not support ephemeral containers") {
        return refused;
    }
    validate_pod(&mut errors, new);
    annotations(&mut errors, new, old);
    let path = Path::new("spec.ephemeralContainers");
    let now = new.items("/spec/ephemeralContainers");
    for was in old.items("/spec/ephemeralContainers") {
        let name = was.text("/name");
        match now.iter().find(|container| container.text("/name") == name) {
            None => errors.push(Error::forbidden(
                &path,
                format!("existing ephemeral containers {name:?} may not be removed\n"),
            )),
            Some(container) if !same(container, was) => errors.push(Error::forbidden(
                &path,
                format!(
                    "existing ephemeral containers {name:?} may not be changed\n{}",
                    diff("core.EphemeralContainer", was, container)
                ),
            )),
            Some(_) => {}
        }
    }
    errors
}

fn refused_for_static(old: &Value, why: &str) -> Option<Errors> {
    let mirror = old.at("/metadata/annotations").field(MIRROR);
    (!mirror.is_null()).then(|| vec![Error::forbidden(&Path::root(), why)])
}

/// Checks an update through `pods/resize`: only cpu and memory of regular containers and sidecars change.
pub(super) fn resize(new: &Value, old: &Value) -> Errors {
    if let Some(refused) = refused_for_static(old, "static pods cannot be resized") {
        return refused;
    }
    if old.text("/spec/os/name") == "windows" {
        return vec![Error::forbidden(&Path::root(), "windows pods cannot be resized")];
    }
    let mut errors = Errors::new();
    validate_pod(&mut errors, new);
    let path = Path::new("spec");
    if old.text("/status/qosClass") != qos_class(new.field("spec")) {
        errors.push(Error::invalid(
            &path,
            new.text("/status/qosClass"),
            "Pod QOS Class may not change as a result of resizing",
        ));
    }
    let mut munged = new.field("spec").clone();
    for list in ["containers", "initContainers"] {
        let pointer = format!("/{list}");
        for (at, (container, was)) in elements(&mut munged, &pointer)
            .iter_mut()
            .zip(old.field("spec").items(&pointer))
            .enumerate()
        {
            let sidecar = container.text("/restartPolicy") == "Always";
            if list == "initContainers" && !sidecar {
                if !same(container, was) {
                    errors.push(Error::forbidden(
                        &path,
                        "resources for non-sidecar init containers are immutable",
                    ));
                }
                continue;
            }
            let resources = path.child(list).index(at).child("resources");
            one_resize(&mut errors, &resources, container, was);
            forget_cpu_and_memory(container, was);
        }
    }
    if errors.is_empty() && !same(&munged, old.field("spec")) {
        errors.push(Error::forbidden(
            &path,
            "only cpu and memory resources are mutable",
        ));
    }
    errors
}

fn one_resize(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    for list in ["requests", "limits"] {
        let (now, was) = (
            new.field("resources").field(list),
            old.field("resources").field(list),
        );
        let removed = was
            .as_object()
            .into_iter()
            .flatten()
            .any(|(resource, _)| now.field(resource).is_null());
        if removed {
            errors.push(Error::forbidden(
                &path.child(list),
                format!("resource {list} cannot be removed"),
            ));
        }
    }
}

fn forget_cpu_and_memory(container: &mut Value, was: &Value) {
    for list in ["requests", "limits"] {
        for resource in ["cpu", "memory"] {
            let pointer = format!("/resources/{list}/{resource}");
            match was.at(&pointer) {
                Value::Null => {
                    container.take_at(&pointer);
                }
                value => container.set(&pointer, value.clone()),
            }
        }
    }
    restore(container, was, "resizePolicy");
}
