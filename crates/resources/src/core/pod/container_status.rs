//! The statuses of a pod's containers: how they may change, who they run as, how their devices are.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::pod_template::{all_may_restart, may_restart};

/// The three lists of statuses, and the containers that they belong to.
const LISTS: [(&str, &str); 3] = [
    ("containerStatuses", "/spec/containers"),
    ("initContainerStatuses", "/spec/initContainers"),
    ("ephemeralContainerStatuses", "/spec/ephemeralContainers"),
];
const MESSAGE_MAX: usize = 1024;

fn statuses<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    let list = pod.field("status").field(list).as_array();
    list.map(Vec::as_slice).unwrap_or_default()
}

/// A container that may not restart stays terminated.
pub(super) fn transitions(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    for (list, containers) in LISTS {
        let is_ephemeral = list == "ephemeralContainerStatuses";
        if !is_ephemeral && all_may_restart(old.field("spec")) {
            continue;
        }
        let now = statuses(new, list);
        for (at, was) in statuses(old, list).iter().enumerate() {
            let (name, ended) = (was.text("/name"), was.at("/state/terminated"));
            let named = |status: &&Value| status.text("/name") == name;
            let revived = now
                .iter()
                .filter(named)
                .any(|status| status.at("/state/terminated").is_null());
            if ended.is_null() || !revived {
                continue;
            }
            let policy = old.text("/spec/restartPolicy");
            let code = ended.int("/exitCode").unwrap_or_default();
            let container = old.items(containers).iter().find(named);
            let is_allowed = container.is_some_and(|container| may_restart(container, policy, code));
            if is_ephemeral || !is_allowed {
                errors.push(Error::forbidden(
                    &path.child(list).index(at).child("state"),
                    "may not be transitioned to non-terminated state",
                ));
            }
        }
    }
}

/// Checks whom the containers run as.
pub(super) fn users(errors: &mut Errors, path: &Path, new: &Value) {
    let os = new.at("/spec/os/name").as_str().unwrap_or("linux");
    for (list, _) in LISTS {
        for (at, status) in statuses(new, list).iter().enumerate() {
            let user = status.at("/user/linux");
            if user.is_null() {
                continue;
            }
            let path = path.child(list).index(at).child("user.linux");
            match os {
                "windows" => errors.push(Error::forbidden(&path, "cannot be set for a windows pod")),
                "linux" => linux_user(errors, &path, user),
                _ => {}
            }
        }
    }
}

fn linux_user(errors: &mut Errors, path: &Path, user: &Value) {
    let mut id = |path: &Path, id: i64| {
        let wrong = name::in_range(id, 0, i64::from(i32::MAX)).into_iter();
        errors.extend(wrong.map(|message| Error::invalid(path, id, message)));
    };
    id(&path.child("uid"), user.int("/uid").unwrap_or_default());
    id(&path.child("gid"), user.int("/gid").unwrap_or_default());
    for (at, group) in user.items("/supplementalGroups").iter().enumerate() {
        id(
            &path.child("supplementalGroups").index(at),
            group.as_i64().unwrap_or_default(),
        );
    }
}

/// Checks what is said of the health of devices that containers have.
pub(super) fn health(errors: &mut Errors, path: &Path, new: &Value) {
    for (list, containers) in LISTS {
        for (at, status) in statuses(new, list).iter().enumerate() {
            let path = path.child(list).index(at).child("allocatedResourcesStatus");
            let resources = status.items("/allocatedResourcesStatus");
            if list == "ephemeralContainerStatuses" {
                if !resources.is_empty() {
                    errors.push(Error::forbidden(
                        &path,
                        "must not be specified in container status",
                    ));
                }
                continue;
            }
            let named = |container: &&Value| container.text("/name") == status.text("/name");
            let container = new.items(containers).iter().find(named);
            for (at, resource) in resources.iter().enumerate() {
                if let Some(container) = container {
                    of_container(errors, &path.index(at), resource, container);
                }
                devices(
                    errors,
                    &path.index(at).child("resources"),
                    resource.items("/resources"),
                );
            }
        }
    }
}

fn of_container(errors: &mut Errors, path: &Path, resource: &Value, container: &Value) {
    let name = resource.text("/name");
    let (is_known, problem) = match name.strip_prefix("claim:") {
        Some(claim) => (
            container.items("/resources/claims").iter().any(|known| {
                let (known, request) = (known.text("/name"), known.text("/request"));
                match claim.split_once('/') {
                    Some((claim, asked)) => claim == known && asked == request,
                    None => claim == known && request.is_empty(),
                }
            }),
            "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty",
        ),
        None => (
            !container.at("/resources/requests").field(name).is_null(),
            "must match one of the container's resource requests",
        ),
    };
    if !is_known {
        errors.push(Error::invalid(&path.child("name"), name, problem));
    }
}

fn devices(errors: &mut Errors, path: &Path, devices: &[Value]) {
    let mut seen = HashSet::new();
    for (at, device) in devices.iter().enumerate() {
        let path = path.index(at);
        check::one_of(
            errors,
            &path.child("health"),
            device.text("/health"),
            &["Healthy", "Unhealthy", "Unknown"],
        );
        if let Some(message) = device.field("message").as_str() {
            let path = path.child("message");
            if message.is_empty() {
                errors.push(Error::required(&path, "must be non-empty if specified"));
            } else if message.len() > MESSAGE_MAX {
                errors.push(Error::too_long(&path, MESSAGE_MAX));
            }
        }
        let id = device.text("/resourceID");
        if !seen.insert(id) {
            errors.push(Error::duplicate(&path.child("resourceID"), id));
        }
    }
}
