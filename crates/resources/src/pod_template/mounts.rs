//! Where volumes appear in a container: mounts and block devices.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::paths::{descending_path, has_backstep};
use super::spec::Cx;
use crate::check::{self, Errors};

/// Checks `volumeMounts`.
pub(super) fn mounts(errors: &mut Errors, path: &Path, container: &Value, cx: &Cx<'_>) {
    let devices = by_name(container, "/volumeDevices", "/devicePath");
    let mut taken = HashSet::new();
    for (at, mount) in container.items("/volumeMounts").iter().enumerate() {
        let at = path.index(at);
        let (name, mount_path) = (mount.text("/name"), mount.text("/mountPath"));
        check::required(errors, &at.child("name"), name);
        if !cx.volumes.contains_key(name) {
            errors.push(Error::not_found(&at.child("name"), name));
        }
        check::required(errors, &at.child("mountPath"), mount_path);
        let mut wrong = |field: &str, value: &str, problem: &str| {
            errors.push(Error::invalid(&at.child(field), value, problem));
        };
        if !taken.insert(mount_path) {
            wrong("mountPath", mount_path, "must be unique");
        }
        if devices.contains_key(name) {
            wrong("name", name, "must not already exist in volumeDevices");
        }
        if devices.values().any(|device| *device == mount_path) {
            wrong(
                "mountPath",
                mount_path,
                "must not already exist as a path in volumeDevices",
            );
        }
        sub_paths(errors, path, &at, mount);
        propagation(errors, path, mount, container);
        recursive_read_only(errors, &path.child("recursiveReadOnly"), mount);
    }
}

/// Upstream reports what is wrong with the path itself at the list, not at its element.
fn sub_paths(errors: &mut Errors, list: &Path, at: &Path, mount: &Value) {
    let (sub, expr) = (mount.text("/subPath"), mount.text("/subPathExpr"));
    if !sub.is_empty() {
        descending_path(errors, &list.child("subPath"), sub);
    }
    if !expr.is_empty() {
        if !sub.is_empty() {
            errors.push(Error::invalid(
                &at.child("subPathExpr"),
                expr,
                "subPathExpr and subPath are mutually exclusive",
            ));
        }
        descending_path(errors, &list.child("subPathExpr"), expr);
    }
}

fn propagation(errors: &mut Errors, list: &Path, mount: &Value, container: &Value) {
    let Some(mode) = mount.field("mountPropagation").as_str() else {
        return;
    };
    let path = list.child("mountPropagation");
    check::one_of(errors, &path, mode, &["Bidirectional", "HostToContainer", "None"]);
    let privileged = container.at("/securityContext/privileged").as_bool() == Some(true);
    if mode == "Bidirectional" && !privileged {
        errors.push(Error::forbidden(
            &path,
            "Bidirectional mount propagation is available only to privileged containers",
        ));
    }
}

fn recursive_read_only(errors: &mut Errors, path: &Path, mount: &Value) {
    match mount.field("recursiveReadOnly").as_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.field("readOnly").as_bool() != Some(true) {
                errors.push(Error::forbidden(
                    path,
                    "may only be specified when readOnly is true",
                ));
            }
            if !matches!(mount.text("/mountPropagation"), "" | "None") {
                errors.push(Error::forbidden(
                    path,
                    "may only be specified when mountPropagation is None or not specified",
                ));
            }
        }
        Some(other) => errors.push(Error::not_supported(
            path,
            other,
            &["Disabled", "Enabled", "IfPossible"],
        )),
    }
}

/// Checks `volumeDevices`.
pub(super) fn devices(errors: &mut Errors, path: &Path, container: &Value, cx: &Cx<'_>) {
    let mounts = by_name(container, "/volumeMounts", "/mountPath");
    let (mut paths, mut names) = (HashSet::new(), HashSet::new());
    for (at, device) in container.items("/volumeDevices").iter().enumerate() {
        let at = path.index(at);
        let (name, device_path) = (device.text("/name"), device.text("/devicePath"));
        check::required(errors, &at.child("name"), name);
        if names.contains(name) {
            errors.push(Error::invalid(&at.child("name"), name, "must be unique"));
        }
        match cx.volumes.get(name) {
            None => errors.push(Error::not_found(&at.child("name"), name)),
            Some(volume) if !is_claim(volume) => errors.push(Error::invalid(
                &at.child("name"),
                name,
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
            )),
            Some(_) => {}
        }
        check::required(errors, &at.child("devicePath"), device_path);
        let mut wrong = |field: &str, value: &str, problem: &str| {
            errors.push(Error::invalid(&at.child(field), value, problem));
        };
        if paths.contains(device_path) {
            wrong("devicePath", device_path, "must be unique");
        }
        if has_backstep(device_path) {
            wrong("devicePath", device_path, "can not contain backsteps ('..')");
        } else {
            paths.insert(device_path);
        }
        if mounts.contains_key(name) {
            wrong("name", name, "must not already exist in volumeMounts");
        }
        if mounts.values().any(|mount| *mount == device_path) {
            wrong(
                "devicePath",
                device_path,
                "must not already exist as a path in volumeMounts",
            );
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}

fn is_claim(volume: &Value) -> bool {
    !volume.field("persistentVolumeClaim").is_null() || !volume.field("ephemeral").is_null()
}

fn by_name<'a>(container: &'a Value, list: &str, path: &str) -> HashMap<&'a str, &'a str> {
    container
        .items(list)
        .iter()
        .map(|entry| (entry.text("/name"), entry.text(path)))
        .collect()
}
