//! Security contexts of pods and containers, user namespaces, and what an operating system rules out.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::paths::descending_path;
use super::spec::every_container;
use super::windows;
use crate::check::{self, Errors};
use crate::go_literal::go_literal;

const PROFILE_TYPES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const SYSCTL_MAX: usize = 253;
const APP_ARMOR_PROFILE_MAX: usize = 4095;
const FOR_WINDOWS: &str = "cannot be set for a windows pod";
const FOR_LINUX: &str = "windows options cannot be set for a linux pod";

/// What a pod for Windows may not set, in upstream's order: of its security context, and of the spec itself.
const NOT_FOR_WINDOWS_PODS: &[&str] = &[
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
];
/// What a container for Windows may not set in its security context.
const NOT_FOR_WINDOWS_CONTAINERS: &[&str] = &[
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// Checks the pod's `securityContext`.
pub(super) fn pod_context(errors: &mut Errors, spec_path: &Path, spec: &Value) {
    let context = spec.field("securityContext");
    let path = spec_path.child("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(errors, &path.child(field), context.field(field));
    }
    for (at, group) in context.items("/supplementalGroups").iter().enumerate() {
        id(errors, &path.child("supplementalGroups").index(at), group);
    }
    let on = |field: &str| spec.field(field).as_bool() == Some(true);
    if on("shareProcessNamespace") && on("hostPID") {
        errors.push(Error::invalid(
            &path.child("shareProcessNamespace"),
            true,
            "ShareProcessNamespace and HostPID cannot both be enabled",
        ));
    }
    sysctls(errors, &path.child("sysctls"), spec);
    choice(
        errors,
        &path,
        context,
        "fsGroupChangePolicy",
        &["Always", "OnRootMismatch"],
    );
    seccomp(
        errors,
        &path.child("seccompProfile"),
        context.field("seccompProfile"),
    );
    windows::options(
        errors,
        &path.child("windowsOptions"),
        context.field("windowsOptions"),
    );
    app_armor(
        errors,
        &path.child("appArmorProfile"),
        context.field("appArmorProfile"),
    );
    choice(
        errors,
        &path,
        context,
        "supplementalGroupsPolicy",
        &["Merge", "Strict"],
    );
    // `MountOption` waits for a feature that is off by default.
    choice(errors, &path, context, "seLinuxChangePolicy", &["Recursive"]);
}

fn choice(errors: &mut Errors, path: &Path, context: &Value, field: &str, supported: &[&str]) {
    if let Some(value) = context.field(field).as_str() {
        check::one_of(errors, &path.child(field), value, supported);
    }
}

/// Checks a container's `securityContext`.
pub(super) fn container_context(errors: &mut Errors, path: &Path, context: &Value, host_users: bool) {
    for field in ["runAsUser", "runAsGroup"] {
        id(errors, &path.child(field), context.field(field));
    }
    if let Some(mount) = context.field("procMount").as_str() {
        let path = path.child("procMount");
        check::one_of(errors, &path, mount, &["Default", "Unmasked"]);
        if host_users && mount == "Unmasked" {
            errors.push(Error::invalid(
                &path,
                mount,
                "`hostUsers` must be false to use `Unmasked`",
            ));
        }
    }
    seccomp(
        errors,
        &path.child("seccompProfile"),
        context.field("seccompProfile"),
    );
    escalation(errors, path, context);
    windows::options(
        errors,
        &path.child("windowsOptions"),
        context.field("windowsOptions"),
    );
    app_armor(
        errors,
        &path.child("appArmorProfile"),
        context.field("appArmorProfile"),
    );
}

/// What a container may not have when it may not gain privileges.
fn escalation(errors: &mut Errors, path: &Path, context: &Value) {
    if context.field("allowPrivilegeEscalation").as_bool() != Some(false) {
        return;
    }
    let mut refuse = |what: &str| {
        let problem = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
        let shown = go_literal("SecurityContext", context);
        errors.push(Error::invalid(path, context.clone(), problem).shown_as(shown));
    };
    if context.field("privileged").as_bool() == Some(true) {
        refuse("`privileged` to true");
    }
    for added in context.items("/capabilities/add") {
        if added == "CAP_SYS_ADMIN" {
            refuse("`capabilities.Add` CAP_SYS_ADMIN");
        }
    }
}

/// User and group ids are what the kernel can hold.
fn id(errors: &mut Errors, path: &Path, value: &Value) {
    if let Some(id) = value.as_i64() {
        for message in name::in_range(id, 0, i64::from(i32::MAX)) {
            errors.push(Error::invalid(path, id, message));
        }
    }
}

fn seccomp(errors: &mut Errors, path: &Path, profile: &Value) {
    if profile.is_null() {
        return;
    }
    let kind = profile.text("/type");
    if kind.is_empty() {
        errors.push(Error::required(
            &path.child("type"),
            "type is required when seccompProfile is set",
        ));
    } else {
        check::one_of(errors, &path.child("type"), kind, PROFILE_TYPES);
    }
    let local = path.child("localhostProfile");
    match (kind, profile.field("localhostProfile").as_str()) {
        ("Localhost", None) => errors.push(Error::required(
            &local,
            "must be set when seccomp type is Localhost",
        )),
        ("Localhost", Some(file)) => descending_path(errors, &local, file),
        (_, Some(_)) => errors.push(
            Error::invalid(
                &local,
                profile.clone(),
                "can only be set when seccomp type is Localhost",
            )
            .shown_as(go_literal("SeccompProfile", profile)),
        ),
        (_, None) => {}
    }
}

fn app_armor(errors: &mut Errors, path: &Path, profile: &Value) {
    if profile.is_null() {
        return;
    }
    const MISSING: &str = "must be set when AppArmor type is Localhost";
    let local = path.child("localhostProfile");
    let file = profile.field("localhostProfile").as_str();
    match (profile.text("/type"), file) {
        ("Localhost", None) => errors.push(Error::required(&local, MISSING)),
        ("Localhost", Some(file)) => {
            if file.trim() != file {
                errors.push(Error::invalid(&local, file, "must not be padded with whitespace"));
            } else if file.is_empty() {
                errors.push(Error::required(&local, MISSING));
            }
            if file.len() > APP_ARMOR_PROFILE_MAX {
                errors.push(Error::too_long(&local, APP_ARMOR_PROFILE_MAX));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(file)) => errors.push(Error::invalid(
            &local,
            file,
            "can only be set when AppArmor type is Localhost",
        )),
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.push(Error::required(
            &path.child("type"),
            "type is required when appArmorProfile is set",
        )),
        (other, _) => errors.push(Error::not_supported(&path.child("type"), other, PROFILE_TYPES)),
    }
}

fn sysctls(errors: &mut Errors, path: &Path, spec: &Value) {
    let mut names = HashSet::new();
    for (at, sysctl) in spec.items("/securityContext/sysctls").iter().enumerate() {
        let (sysctl, path) = (sysctl.text("/name"), path.index(at).child("name"));
        if sysctl.is_empty() {
            errors.push(Error::required(&path, ""));
        } else if !is_sysctl(sysctl) {
            errors.push(Error::invalid(
                &path,
                sysctl,
                format!(
                    "must have at most {SYSCTL_MAX} characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
                ),
            ));
        } else if names.contains(sysctl) {
            errors.push(Error::duplicate(&path, sysctl));
        }
        let dotted = sysctl.replace('/', ".");
        let is_ipc = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."]
            .iter()
            .any(|prefix| dotted.starts_with(prefix));
        let shares = |field: &str| spec.field(field).as_bool() == Some(true);
        if shares("hostNetwork") && dotted.starts_with("net.") {
            errors.push(Error::invalid(
                &path,
                sysctl,
                "may not be specified when 'hostNetwork' is true",
            ));
        } else if shares("hostIPC") && is_ipc {
            errors.push(Error::invalid(
                &path,
                sysctl,
                "may not be specified when 'hostIPC' is true",
            ));
        }
        names.insert(sysctl);
    }
}

fn is_sysctl(sysctl: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    sysctl.len() <= SYSCTL_MAX
        && sysctl.split(['.', '/']).all(|part| {
            part.starts_with(plain)
                && part.ends_with(plain)
                && part.chars().all(|c| plain(c) || matches!(c, '-' | '_'))
        })
}

/// A pod with users of its own may not share the host's other namespaces, nor use volumes as devices.
pub(super) fn host_users(errors: &mut Errors, path: &Path, spec: &Value) {
    const REFUSAL: &str = "when `hostUsers` is false";
    if spec.field("hostUsers").as_bool() != Some(false) {
        return;
    }
    for (field, shown) in [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ] {
        if spec.field(field).as_bool() == Some(true) {
            errors.push(Error::forbidden(&path.child(shown), REFUSAL));
        }
    }
    for (path, container) in every_container(path, spec) {
        if !container.items("/volumeDevices").is_empty() {
            errors.push(Error::forbidden(&path.child("volumeDevices"), REFUSAL));
        }
    }
}

/// Checks `os`, and what it rules out.
pub(super) fn operating_system(errors: &mut Errors, path: &Path, spec: &Value) {
    let os = spec.field("os");
    if os.is_null() {
        return;
    }
    match os.text("/name") {
        "" => errors.push(Error::required(&path.child("os.name"), "")),
        "linux" => {
            let mut refuse = |path: &Path, owner: &Value| {
                if !owner.at("/securityContext/windowsOptions").is_null() {
                    let path = path.child("securityContext.windowsOptions");
                    errors.push(Error::forbidden(&path, FOR_LINUX));
                }
            };
            refuse(path, spec);
            for (path, container) in every_container(path, spec) {
                refuse(&path, container);
            }
        }
        "windows" => {
            forbid(errors, path, spec, NOT_FOR_WINDOWS_PODS);
            for (path, container) in every_container(path, spec) {
                let path = path.child("securityContext");
                let context = container.field("securityContext");
                forbid(errors, &path, context, NOT_FOR_WINDOWS_CONTAINERS);
            }
        }
        other => errors.push(Error::not_supported(
            &path.child("os"),
            other,
            &["linux", "windows"],
        )),
    }
}

fn forbid(errors: &mut Errors, path: &Path, value: &Value, fields: &[&str]) {
    for field in fields {
        let given = match field.split_once('.') {
            Some((parent, child)) => value.field(parent).field(child),
            None => value.field(field),
        };
        // What Go keeps as a plain flag or list counts only when it says something.
        let is_empty = match *field {
            "hostPID" | "hostIPC" | "securityContext.sysctls" => check::same(given, &Value::Null),
            _ => given.is_null(),
        };
        if !is_empty {
            errors.push(Error::forbidden(&path.child(field), FOR_WINDOWS));
        }
    }
}
