//! What a pod's status may become.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::update;
use crate::check::{self, Errors};

/// Checks an update of `/status`.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
    update::annotations(errors, new, old);
    conditions(errors, new);
    let path = Path::new("status");
    let nominated = new.text("/status/nominatedNodeName");
    if !nominated.is_empty() && nominated != old.text("/status/nominatedNodeName") {
        check::dns_subdomain(errors, &path.child("nominatedNodeName"), nominated);
    }
    // A writer that leaves the class out keeps it: upstream fills it in before this check.
    let class = new.at("/status/qosClass");
    if !class.is_null() {
        check::immutable(errors, &path.child("qosClass"), class, old.at("/status/qosClass"));
    }
    let policy = old.text("/spec/restartPolicy");
    for (list, policy) in [
        ("containerStatuses", policy),
        ("initContainerStatuses", policy),
        ("ephemeralContainerStatuses", "Never"),
    ] {
        transitions(errors, &path.child(list), new, old, (list, policy));
    }
    ips(errors, &path.child("podIPs"), new.items("/status/podIPs"));
    let hosts = new.items("/status/hostIPs");
    if let Some(first) = hosts.first()
        && first.text("/ip") != new.text("/status/hostIP")
    {
        errors.push(Error::invalid(
            &path.child("hostIPs").index(0).child("ip"),
            first.text("/ip"),
            "must be equal to `hostIP`",
        ));
    }
    ips(errors, &path.child("hostIPs"), hosts);
}

fn conditions(errors: &mut Errors, new: &Value) {
    // Upstream reports these below the metadata.
    let path = Path::new("metadata.conditions");
    for (at, condition) in new.items("/status/conditions").iter().enumerate() {
        let kind = condition.text("/type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            check::qualified_name(errors, &path.index(at).child("Type"), kind);
        }
    }
}

/// A container that may not restart stays terminated.
fn transitions(errors: &mut Errors, path: &Path, new: &Value, old: &Value, list: (&str, &str)) {
    let (list, policy) = list;
    if policy == "Always" {
        return;
    }
    let specs = old.items("/spec/initContainers");
    let statuses = |pod: &Value| {
        pod.field("status")
            .field(list)
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let now = statuses(new);
    for (at, was) in statuses(old).iter().enumerate() {
        let terminated = was.at("/state/terminated");
        let failed = terminated.int("/exitCode").unwrap_or_default() != 0;
        let name = was.text("/name");
        let sidecar = list == "initContainerStatuses"
            && specs
                .iter()
                .any(|spec| spec.text("/name") == name && spec.text("/restartPolicy") == "Always");
        if terminated.is_null() || (failed && policy == "OnFailure") || sidecar {
            continue;
        }
        let revived = now
            .iter()
            .any(|status| status.text("/name") == name && status.at("/state/terminated").is_null());
        if revived {
            errors.push(Error::forbidden(
                &path.index(at).child("state"),
                "may not be transitioned to non-terminated state",
            ));
        }
    }
}

fn ips(errors: &mut Errors, path: &Path, all: &[Value]) {
    for (at, ip) in all.iter().enumerate() {
        check::ip(errors, &path.index(at), ip.text("/ip"));
    }
    let is_v6 = |ip: &&Value| ip.text("/ip").contains(':');
    let v6 = all.iter().filter(is_v6).count();
    if all.len() > 2 || (all.len() == 2 && v6 != 1) {
        errors.push(Error::invalid(
            path,
            all.to_vec(),
            "may specify no more than one IP for each IP family",
        ));
    }
    let mut seen = HashSet::new();
    for (at, ip) in all.iter().enumerate() {
        if !seen.insert(ip.text("/ip")) {
            errors.push(Error::duplicate(&path.index(at), ip.clone()));
        }
    }
}
