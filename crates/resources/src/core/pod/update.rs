//! What may change in a pod by an update of its main part.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors, same};
use crate::diff::diff;
use crate::go_literal::go_literal;
use crate::pod_template::{APP_ARMOR, MIRROR, elements, internal_spec, pod_annotations, tolerations};

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
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
        for (at, container) in now.as_array().into_iter().flatten().enumerate() {
            image(errors, &path.child(list).index(at), container);
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
        let difference = diff("PodSpec", &internal_spec(was), &internal_spec(&munged));
        errors.push(Error::forbidden(
            &path,
            format!("pod updates may not change fields other than {UPDATABLE}\n{difference}"),
        ));
    }
}

/// Upstream looks at images twice.
fn image(errors: &mut Errors, path: &Path, container: &Value) {
    let (path, image) = (path.child("image"), container.text("/image"));
    check::required(errors, &path, image);
    if image.trim().len() != image.len() {
        errors.push(Error::invalid(
            &path,
            image,
            "must not have leading or trailing whitespace",
        ));
    }
}

fn length(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

/// Annotations that the kubelet or the kernel hold on to. Upstream looks at what all of them say once more.
pub(super) fn annotations(errors: &mut Errors, new: &Value, old: &Value) {
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
    pod_annotations(errors, &path, new.field("metadata"), new.field("spec"));
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
        return;
    }
    // Upstream looks at all of them twice.
    tolerations(errors, path, new.items("/spec/tolerations"));
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

pub(super) fn restore(munged: &mut Value, was: &Value, field: &str) {
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
    node_affinity(errors, path, munged, was);
}

fn node_affinity(errors: &mut Errors, path: &Path, munged: &mut Value, was: &Value) {
    const AFFINITY: &str = "/affinity/nodeAffinity";
    const TERMS: &str =
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    if same(munged.at(AFFINITY), was.at(AFFINITY)) {
        return;
    }
    let path = path
        .child("affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")
        .child("nodeSelectorTerms");
    let (terms, old_terms) = (munged.items(TERMS), was.items(TERMS));
    if !old_terms.is_empty() && old_terms.len() != terms.len() {
        let shown = go_literal("[]NodeSelectorTerm", munged.at(TERMS));
        let problem = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.push(Error::invalid(&path, terms.to_vec(), problem).shown_as(shown));
    } else {
        for (at, (term, old)) in terms.iter().zip(old_terms).enumerate() {
            if !only_adds(term, old) {
                let shown = go_literal("NodeSelectorTerm", term);
                let problem = "only additions are allowed (no mutations or deletions)";
                errors.push(Error::invalid(&path.index(at), term.clone(), problem).shown_as(shown));
            }
        }
    }
    match was.at(AFFINITY) {
        Value::Null => {
            munged.take_at(AFFINITY);
            if same(munged.field("affinity"), &Value::Null) && was.field("affinity").is_null() {
                munged.take_at("/affinity");
            }
        }
        old => munged.set(AFFINITY, old.clone()),
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
