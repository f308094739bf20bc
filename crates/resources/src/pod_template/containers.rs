//! Containers of the three sorts: regular, init (sidecars among them) and ephemeral.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::spec::Cx;
use super::{env, lifecycle, mounts, resources, restart, security};
use crate::check::{self, Errors};

/// Upstream's protocols, in the order it lists them.
pub(super) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// Fields of an ephemeral container that must not be set, as upstream lists them.
const NOT_EPHEMERAL: &[&str] = &[
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// Checks the regular containers.
pub(super) fn containers(errors: &mut Errors, path: &Path, all: &[Value], cx: &Cx<'_>) {
    if all.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let mut names = HashSet::new();
    for (at, container) in all.iter().enumerate() {
        let path = path.index(at);
        any(errors, &path, container, cx);
        if !names.insert(container.text("/name")) {
            errors.push(Error::duplicate(&path.child("name"), container.text("/name")));
        }
        lifecycle::hooks_and_probes(errors, &path, container, cx);
        restart::policy_and_rules(errors, &path, container);
    }
    let mut taken = HashSet::new();
    for (at, container) in all.iter().enumerate() {
        host_port_conflicts(errors, &path.index(at), container, &mut taken);
    }
}

/// Checks the init containers; those with `restartPolicy: Always` are sidecars and may have probes.
pub(super) fn init_containers(errors: &mut Errors, path: &Path, spec: &Value, cx: &Cx<'_>) {
    let all = spec.items("/initContainers");
    let mut names: HashSet<&str> = spec
        .items("/containers")
        .iter()
        .map(|container| container.text("/name"))
        .collect();
    for (at, container) in all.iter().enumerate() {
        let at = path.index(at);
        any(errors, &at, container, cx);
        restart::policy_and_rules(errors, &at, container);
        let name = container.text("/name");
        if names.contains(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        } else if !name.is_empty() {
            names.insert(name);
        }
        // Init containers run one after the other; upstream names the first in what it finds in any of them.
        host_port_conflicts(errors, &path.index(0), container, &mut HashSet::new());
        if is_sidecar(container) {
            lifecycle::hooks_and_probes(errors, &at, container, cx);
        } else {
            not_of_sidecars(errors, &at, container);
        }
    }
}

/// What an init container that ends may not have.
fn not_of_sidecars(errors: &mut Errors, path: &Path, container: &Value) {
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if !container.field(field).is_null() {
            errors.push(Error::forbidden(
                &path.child(field),
                "may not be set for init containers without restartPolicy=Always",
            ));
        }
    }
    for (at, policy) in container.items("/resizePolicy").iter().enumerate() {
        let restart = policy.text("/restartPolicy");
        if restart == "RestartContainer" {
            errors.push(Error::invalid(
                &path.child("resizePolicy").index(at).child("restartPolicy"),
                restart,
                "must not be set to 'RestartContainer' for non-sidecar initContainers",
            ));
        }
    }
}

/// Whether an init container keeps running beside the regular ones.
pub(super) fn is_sidecar(container: &Value) -> bool {
    container.text("/restartPolicy") == "Always"
}

/// Checks the ephemeral containers.
pub(super) fn ephemeral_containers(errors: &mut Errors, path: &Path, spec: &Value, cx: &Cx<'_>) {
    let all = spec.items("/ephemeralContainers");
    let others: HashSet<&str> = spec
        .items("/containers")
        .iter()
        .chain(spec.items("/initContainers"))
        .map(|container| container.text("/name"))
        .collect();
    let mut names = others.clone();
    for (at, container) in all.iter().enumerate() {
        let at = path.index(at);
        any(errors, &at, container, cx);
        untrimmed_image(errors, &at, container);
        if !names.insert(container.text("/name")) {
            errors.push(Error::duplicate(&at.child("name"), container.text("/name")));
        }
        let target = container.text("/targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            errors.push(Error::not_found(&at.child("targetContainerName"), target));
        }
        not_ephemeral(errors, &at, container);
    }
}

fn not_ephemeral(errors: &mut Errors, path: &Path, container: &Value) {
    const REFUSAL: &str = "cannot be set for an Ephemeral Container";
    for field in NOT_EPHEMERAL {
        if !check::same(container.field(field), &Value::Null) {
            errors.push(Error::forbidden(&path.child(field), REFUSAL));
        }
    }
    for (at, mount) in container.items("/volumeMounts").iter().enumerate() {
        for field in ["subPath", "subPathExpr"] {
            if mount.field(field).as_str().is_some_and(|path| !path.is_empty()) {
                let at = path.child("volumeMounts").index(at).child(field);
                errors.push(Error::forbidden(&at, REFUSAL));
            }
        }
    }
}

/// What every container must be.
fn any(errors: &mut Errors, path: &Path, container: &Value, cx: &Cx<'_>) {
    let name = container.text("/name");
    if check::required(errors, &path.child("name"), name) {
        check::dns_label(errors, &path.child("name"), name);
    }
    check::required(errors, &path.child("image"), container.text("/image"));
    check::required_one_of(
        errors,
        &path.child("terminationMessagePolicy"),
        container.text("/terminationMessagePolicy"),
        &["File", "FallbackToLogsOnError"],
    );
    ports(errors, &path.child("ports"), container.items("/ports"));
    env::env(errors, &path.child("env"), container.items("/env"));
    env::env_from(errors, &path.child("envFrom"), container.items("/envFrom"));
    mounts::mounts(errors, &path.child("volumeMounts"), container, cx);
    mounts::devices(errors, &path.child("volumeDevices"), container, cx);
    check::required_one_of(
        errors,
        &path.child("imagePullPolicy"),
        container.text("/imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
    );
    resources::requirements(errors, &path.child("resources"), container.field("resources"), cx);
    resources::resize_policy(errors, &path.child("resizePolicy"), container, cx);
    security::container_context(
        errors,
        &path.child("securityContext"),
        container.field("securityContext"),
        cx.host_users,
    );
}

fn ports(errors: &mut Errors, path: &Path, ports: &[Value]) {
    let mut names = HashSet::new();
    for (at, port) in ports.iter().enumerate() {
        let at = path.index(at);
        let port_name = port.text("/name");
        if !port_name.is_empty() {
            let wrong = name::port_name(port_name);
            if wrong.is_empty() && !names.insert(port_name) {
                errors.push(Error::duplicate(&at.child("name"), port_name));
            }
            check::text(errors, &at.child("name"), port_name, wrong);
        }
        match port.int("/containerPort").unwrap_or_default() {
            0 => errors.push(Error::required(&at.child("containerPort"), "")),
            number => check::port_number(errors, &at.child("containerPort"), number),
        }
        match port.int("/hostPort").unwrap_or_default() {
            0 => {}
            number => check::port_number(errors, &at.child("hostPort"), number),
        }
        check::required_one_of(errors, &at.child("protocol"), port.text("/protocol"), PROTOCOLS);
    }
}

fn host_port_conflicts(errors: &mut Errors, path: &Path, container: &Value, taken: &mut HashSet<String>) {
    for (at, port) in container.items("/ports").iter().enumerate() {
        let number = port.int("/hostPort").unwrap_or_default();
        if number == 0 {
            continue;
        }
        let key = format!("{}/{}/{number}", port.text("/protocol"), port.text("/hostIP"));
        if taken.contains(&key) {
            let at = path.child("ports").index(at).child("hostPort");
            errors.push(Error::duplicate(&at, key));
        } else {
            taken.insert(key);
        }
    }
}

/// A blank around an image is a placeholder that only templates may have.
pub(crate) fn untrimmed_images(errors: &mut Errors, path: &Path, spec: &Value) {
    for (list, pointer) in [
        ("containers", "/containers"),
        ("initContainers", "/initContainers"),
    ] {
        let path = path.child(list);
        for (at, container) in spec.items(pointer).iter().enumerate() {
            untrimmed_image(errors, &path.index(at), container);
        }
    }
}

fn untrimmed_image(errors: &mut Errors, path: &Path, container: &Value) {
    let image = container.text("/image");
    if image.trim().len() != image.len() {
        errors.push(Error::invalid(
            &path.child("image"),
            image,
            "must not have leading or trailing whitespace",
        ));
    }
}
