//! The annotations that mean something to a pod, and their agreement with the fields that came after them.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::{ValueExt, decode_json};

use super::paths::descending_path;
use super::scheduling::tolerations;
use super::spec::every_container;
use crate::check::Errors;

/// Marks a pod that shows a static one of its node.
pub(crate) const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
/// The old place of the pod's seccomp profile.
pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The old place of a container's seccomp profile; its name follows.
pub(super) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
/// The old place of a container's AppArmor profile; its name follows.
pub(crate) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const LOCALHOST: &str = "localhost/";

/// Checks the annotations at `path`.
pub(crate) fn pod_annotations(errors: &mut Errors, path: &Path, metadata: &Value, spec: &Value) {
    let annotations = metadata.field("annotations");
    if annotations.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    if let Some(value) = annotations.field(MIRROR).as_str()
        && spec.text("/nodeName").is_empty()
    {
        errors.push(Error::invalid(
            &path.key(MIRROR),
            value,
            "must set spec.nodeName if mirror pod annotation is set",
        ));
    }
    old_tolerations(
        errors,
        path,
        annotations.field(TOLERATIONS).as_str().unwrap_or_default(),
    );
    if let Some(cost) = annotations.field(DELETION_COST).as_str() {
        let is_plain = cost == "0" || cost.starts_with(['-', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        if !is_plain || cost.parse::<i32>().is_err() {
            errors.push(Error::invalid(
                &path.key(DELETION_COST),
                cost,
                "must be a 32bit integer",
            ));
        }
    }
    seccomp(errors, path, annotations);
    app_armor(errors, path, annotations, spec);
}

fn old_tolerations(errors: &mut Errors, path: &Path, text: &str) {
    if text.is_empty() {
        return;
    }
    match decode_json(text.as_bytes()) {
        Ok(decoded) => {
            let all = decoded.value.as_array().map(Vec::as_slice).unwrap_or_default();
            tolerations(errors, &path.child(TOLERATIONS), all);
        }
        Err(error) => errors.push(Error::invalid(path, TOLERATIONS, error.to_string())),
    }
}

fn entries(annotations: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = annotations.as_object().into_iter().flatten();
    all.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

fn seccomp(errors: &mut Errors, path: &Path, annotations: &Value) {
    for (key, profile) in entries(annotations) {
        if key != SECCOMP_POD && !key.starts_with(SECCOMP_CONTAINER) {
            continue;
        }
        let path = path.child(key);
        match (profile, profile.strip_prefix(LOCALHOST)) {
            ("runtime/default" | "docker/default" | "unconfined", _) => {}
            (_, Some(file)) => descending_path(errors, &path, file),
            _ => errors.push(Error::invalid(&path, profile, "must be a valid seccomp profile")),
        }
    }
}

fn app_armor(errors: &mut Errors, path: &Path, annotations: &Value, spec: &Value) {
    for (key, profile) in entries(annotations) {
        let Some(container) = key.strip_prefix(APP_ARMOR) else {
            continue;
        };
        let path = path.key(key);
        if !every_container(&Path::root(), spec).any(|(_, known)| known.text("/name") == container) {
            errors.push(Error::invalid(&path, container, "container not found"));
        }
        let is_known = matches!(profile, "" | "runtime/default" | "unconfined");
        if !is_known && !profile.starts_with(LOCALHOST) {
            let problem = format!("invalid AppArmor profile name: {profile:?}");
            errors.push(Error::invalid(&path, profile, problem));
        }
    }
}

/// Checks that old annotations and new fields say the same: of a new pod, and of every template.
pub(crate) fn match_fields(errors: &mut Errors, path: &Path, metadata: &Value, spec: &Value) {
    let annotations = metadata.field("annotations");
    if annotations.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let pod = spec.field("securityContext");
    let pod_path = path.child("securityContext");
    if let Some(old) = annotations.field(SECCOMP_POD).as_str() {
        let path = pod_path.child("seccompProfile");
        agree(errors, &path, old, pod.field("seccompProfile"), "seccomp");
    }
    for (path, container) in every_container(path, spec) {
        let profile = container.at("/securityContext/seccompProfile");
        let key = format!("{SECCOMP_CONTAINER}{}", container.text("/name"));
        if let Some(old) = annotations.field(&key).as_str() {
            let path = path.child("securityContext.seccompProfile");
            agree(errors, &path, old, profile, "seccomp");
        }
    }
    if spec.text("/os/name") == "windows" {
        return;
    }
    for (path, container) in every_container(path, spec) {
        let own = container.at("/securityContext/appArmorProfile");
        let profile = if own.is_null() {
            pod.field("appArmorProfile")
        } else {
            own
        };
        let key = format!("{APP_ARMOR}{}", container.text("/name"));
        if let Some(old) = annotations.field(&key).as_str() {
            let path = path.child("securityContext.appArmorProfile");
            agree(errors, &path, old, profile, "apparmor");
        }
    }
}

fn agree(errors: &mut Errors, path: &Path, old: &str, profile: &Value, what: &str) {
    let matches = match profile.text("/type") {
        "Unconfined" => old == "unconfined",
        "RuntimeDefault" => old == "runtime/default" || (what == "seccomp" && old == "docker/default"),
        "Localhost" => match old.strip_prefix(LOCALHOST) {
            None => false,
            Some(file) => {
                if profile.field("localhostProfile").as_str() != Some(file) {
                    errors.push(Error::forbidden(
                        &path.child("localhostProfile"),
                        format!("{what} profile in annotation and field must match"),
                    ));
                }
                true
            }
        },
        _ => true,
    };
    if !matches {
        errors.push(Error::forbidden(
            &path.child("type"),
            format!("{what} type in annotation and field must match"),
        ));
    }
}

/// The AppArmor profile that an old annotation stands for; `None` where it means none that is valid.
pub(crate) fn app_armor_profile(annotation: &str) -> Option<Value> {
    let of_kind = |kind: &str| Some(serde_json::json!({"type": kind}));
    match annotation {
        "runtime/default" => of_kind("RuntimeDefault"),
        "unconfined" => of_kind("Unconfined"),
        other => {
            let file = other.strip_prefix(LOCALHOST)?;
            let is_valid = !file.is_empty() && file.trim() == file;
            is_valid.then(|| serde_json::json!({"type": "Localhost", "localhostProfile": file}))
        }
    }
}
