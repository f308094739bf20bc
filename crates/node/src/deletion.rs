//! The end of a pod: its containers stop, then the object goes. Pure.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::container::stopped;

/// How long the simulated containers of a pod take to stop: their longest `preStop` sleep, at most the grace
/// period. What a `preStop` command does is not known, so it takes no time.
pub(crate) fn stop_takes(pod: &Pod) -> i64 {
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
    let spec = pod.spec.as_ref();
    let sleeps = spec
        .into_iter()
        .flat_map(|spec| &spec.containers)
        .filter_map(|container| {
            Some(
                container
                    .lifecycle
                    .as_ref()?
                    .pre_stop
                    .as_ref()?
                    .sleep
                    .as_ref()?
                    .seconds,
            )
        });
    sleeps.max().unwrap_or_default().clamp(0, grace.max(0))
}

/// The status of a pod whose containers have stopped; `None` if they had already.
pub(crate) fn stop(pod: &Pod, now: Timestamp) -> Option<PodStatus> {
    let mut status = pod.status.clone()?;
    let end = |statuses: &mut Option<Vec<ContainerStatus>>| {
        for status in statuses.iter_mut().flatten() {
            *status = stopped(status, now);
        }
    };
    end(&mut status.container_statuses);
    end(&mut status.init_container_statuses);
    end(&mut status.ephemeral_container_statuses);
    for condition in status.conditions.iter_mut().flatten() {
        let ends = matches!(
            condition.type_.as_str(),
            "Ready" | "ContainersReady" | "PodReadyToStartContainers"
        );
        if ends && condition.status == "True" {
            condition.status = "False".to_owned();
            condition.last_transition_time = Some(Time(now));
            condition.reason = Some("PodCompleted".to_owned());
        }
    }
    let all = status.container_statuses.iter().flatten();
    let codes: Vec<i32> = all
        .filter_map(|s| Some(s.state.as_ref()?.terminated.as_ref()?.exit_code))
        .collect();
    if !codes.is_empty() {
        let phase = if codes.iter().all(|code| *code == 0) {
            "Succeeded"
        } else {
            "Failed"
        };
        status.phase = Some(phase.to_owned());
    }
    (Some(&status) != pod.status.as_ref()).then_some(status)
}

/// The containers that still run.
pub(crate) fn running(pod: &Pod) -> Vec<String> {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .filter(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()))
        .map(|status| status.name.clone())
        .collect()
}
