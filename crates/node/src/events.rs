//! What a kubelet would tell of a step: events derived from two statuses. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};

/// An event about a container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// `spec.containers{name}`.
    pub(crate) field: String,
    pub(crate) warning: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The events of the step from `before` to `after`.
pub(crate) fn told(pod: &Pod, after: &PodStatus) -> Vec<Told> {
    let before = pod.status.as_ref();
    let groups = [
        (
            "initContainers",
            before.and_then(|s| s.init_container_statuses.as_ref()),
            &after.init_container_statuses,
        ),
        (
            "containers",
            before.and_then(|s| s.container_statuses.as_ref()),
            &after.container_statuses,
        ),
        (
            "ephemeralContainers",
            before.and_then(|s| s.ephemeral_container_statuses.as_ref()),
            &after.ephemeral_container_statuses,
        ),
    ];
    let mut all = Vec::new();
    for (group, before, after) in groups {
        for status in after.iter().flatten() {
            let old = before.into_iter().flatten().find(|old| old.name == status.name);
            container(
                pod,
                &format!("spec.{group}{{{}}}", status.name),
                old,
                status,
                &mut all,
            );
        }
    }
    all
}

fn container(
    pod: &Pod,
    field: &str,
    before: Option<&ContainerStatus>,
    after: &ContainerStatus,
    all: &mut Vec<Told>,
) {
    let mut tell = |warning: bool, reason: &'static str, message: String| {
        all.push(Told {
            field: field.to_owned(),
            warning,
            reason,
            message,
        });
    };
    if after.container_id.is_some()
        && before.and_then(|b| b.container_id.as_ref()) != after.container_id.as_ref()
    {
        let image = &after.image;
        tell(
            false,
            "Pulled",
            format!("Container image \"{image}\" already present on machine"),
        );
        tell(false, "Created", "Container created".to_owned());
        tell(false, "Started", "Container started".to_owned());
    }
    let waiting = |status: &ContainerStatus| status.state.clone().and_then(|state| state.waiting);
    let Some(now) = waiting(after) else { return };
    let changed = before
        .and_then(waiting)
        .is_none_or(|old| old.reason != now.reason);
    if !changed {
        return;
    }
    let meta = &pod.metadata;
    match now.reason.as_deref() {
        Some("CrashLoopBackOff") => {
            let name = meta.name.as_deref().unwrap_or_default();
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            let uid = meta.uid.as_deref().unwrap_or_default();
            let message = format!(
                "Back-off restarting failed container {} in pod {name}_{namespace}({uid})",
                after.name
            );
            tell(true, "BackOff", message);
        }
        Some("CreateContainerConfigError") => {
            tell(
                true,
                "Failed",
                format!("Error: {}", now.message.unwrap_or_default()),
            );
        }
        _ => {}
    }
}
