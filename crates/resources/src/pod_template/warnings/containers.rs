//! Containers to warn about: parts of bytes, variables and ports that hide each other, profiles by annotation.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use warren_apimachinery::field::Path;
use warren_apimachinery::value::ValueExt;

use super::super::annotations::{APP_ARMOR, SECCOMP_CONTAINER, app_armor_profile};
use super::super::resources::quantity;
use super::super::spec::every_container;

/// Resources that are counted in bytes.
const BYTES: [&str; 2] = ["memory", "ephemeral-storage"];

/// Parts of a byte are accepted and mean nothing.
pub(super) fn fractions(warnings: &mut Vec<String>, path: &Path, list: &Value) {
    for resource in BYTES {
        fraction(warnings, path, list, resource);
    }
}

fn fraction(warnings: &mut Vec<String>, path: &Path, list: &Value, resource: &str) {
    if list.field(resource).is_null() {
        return;
    }
    let amount = quantity(list.field(resource));
    if amount.milli_value() % 1000 != 0 {
        warnings.push(format!(
            "{}: fractional byte value \"{amount}\" is invalid, must be an integer",
            path.key(resource)
        ));
    }
}

/// Annotations that stood for profiles of containers. A pod's own annotation has become a field by now.
fn old_profiles(warnings: &mut Vec<String>, path: &Path, template: &Value, container: &Value) {
    let annotations = template.at("/metadata/annotations");
    if annotations.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let path = path.child("metadata.annotations");
    let name = container.text("/name");
    let key = format!("{SECCOMP_CONTAINER}{name}");
    let has_seccomp = !container.at("/securityContext/seccompProfile").is_null();
    if !annotations.field(&key).is_null() && !has_seccomp {
        warnings.push(format!(
            "{}: non-functional in v1.27+; use the \"seccompProfile\" field instead",
            path.key(&key)
        ));
    }
    let key = format!("{APP_ARMOR}{name}");
    let Some(old) = annotations.field(&key).as_str() else {
        return;
    };
    let meant = app_armor_profile(old);
    let own = container.at("/securityContext/appArmorProfile");
    let of_pod = template.at("/spec/securityContext/appArmorProfile");
    let is_pod = path.as_str() == "metadata.annotations";
    let is_told = match &meant {
        Some(meant) if is_pod => own == meant && of_pod != meant,
        Some(meant) => own.is_null() && of_pod != meant,
        None => own.is_null(),
    };
    if is_told {
        warnings.push(format!(
            "{}: deprecated since v1.30; use the \"appArmorProfile\" field instead",
            path.key(&key)
        ));
    }
}

/// Warns of what stands in single containers of the template at `path`.
pub(super) fn containers(warnings: &mut Vec<String>, path: &Path, template: &Value) {
    let spec = template.field("spec");
    let spec_path = path.child("spec");
    for (at, container) in every_container(&spec_path, spec) {
        old_profiles(warnings, path, template, container);
        let resources = container.field("resources");
        for resource in BYTES {
            for list in ["limits", "requests"] {
                let path = at.child("resources").child(list);
                fraction(warnings, &path, resources.field(list), resource);
            }
        }
        let mut seen = HashSet::new();
        for (index, variable) in container.items("/env").iter().enumerate() {
            let (name, value) = (variable.text("/name"), variable.text("/value"));
            if seen.insert(name) {
                continue;
            }
            let reference = format!("$({name})");
            let builds_on = value != reference && value.contains(&reference);
            if !variable.field("valueFrom").is_null() || !builds_on {
                warnings.push(format!(
                    "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                    at.child("env").index(index)
                ));
            }
        }
    }
}

/// Ports that two containers both claim.
pub(super) fn ports(warnings: &mut Vec<String>, path: &Path, spec: &Value) {
    let mut known: HashMap<(i64, &str), Vec<(Path, &Value)>> = HashMap::new();
    for (at, container) in every_container(path, spec) {
        for (index, port) in container.items("/ports").iter().enumerate() {
            let at = at.child("ports").index(index);
            let host_port = |port: &Value| port.int("/hostPort").unwrap_or_default();
            if !port.text("/hostIP").is_empty() && host_port(port) == 0 {
                warnings.push(format!("{at}: hostIP set without hostPort: {}", as_go(port)));
            }
            let key = (
                port.int("/containerPort").unwrap_or_default(),
                port.text("/protocol"),
            );
            let others = known.entry(key).or_default();
            for (other_path, other) in others.iter() {
                let same_ip = port.text("/hostIP") == other.text("/hostIP");
                let (mine, theirs) = (host_port(port), host_port(other));
                if same_ip && mine == theirs {
                    warnings.push(format!("{at}: duplicate port definition with {other_path}"));
                } else if mine == 0 || theirs == 0 {
                    warnings.push(format!("{at}: overlapping port definition with {other_path}"));
                } else if mine == theirs
                    && port.text("/hostIP").is_empty() != other.text("/hostIP").is_empty()
                {
                    warnings.push(format!(
                        "{at}: dangerously ambiguous port definition with {other_path}"
                    ));
                }
            }
            others.push((at, port));
        }
    }
}

/// As Go prints the struct of a port.
fn as_go(port: &Value) -> String {
    let number = |field: &str| port.field(field).as_i64().unwrap_or_default();
    let text = |field: &str| port.field(field).as_str().unwrap_or_default();
    format!(
        "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
        text("name"),
        number("hostPort"),
        number("containerPort"),
        text("protocol"),
        text("hostIP")
    )
}

/// A name that two ports have means the first of them.
pub(super) fn port_names(warnings: &mut Vec<String>, path: &Path, spec: &Value) {
    let mut known: HashMap<&str, Path> = HashMap::new();
    for (at, container) in every_container(path, spec) {
        for (index, port) in container.items("/ports").iter().enumerate() {
            let (at, name) = (at.child("ports").index(index), port.text("/name"));
            if name.is_empty() {
                continue;
            }
            match known.get(name) {
                None => {
                    known.insert(name, at);
                }
                Some(first) => warnings.push(format!(
                    "{at}: duplicate port name {name:?} with {first}, services and probes that select ports by name will use {first}"
                )),
            }
        }
    }
}
