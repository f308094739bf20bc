//! One container's life: its next status, given its last one and the time.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Probe,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub(crate) use crate::command::Purpose;
use crate::command::{Run, run};

const BACKOFF_START: i64 = 10;
const BACKOFF_MAX: i64 = 300;

/// When a container that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// What a step is made for.
pub(crate) struct Step<'a> {
    pub(crate) container: &'a Container,
    pub(crate) last: Option<&'a ContainerStatus>,
    pub(crate) purpose: Purpose,
    pub(crate) restart: Restart,
    /// Why it may not start yet: a waiting reason and a message.
    pub(crate) held: Option<(&'a str, &'a str)>,
    pub(crate) pod_uid: &'a str,
    pub(crate) now: Timestamp,
}

/// The container's next status, and when it changes by itself.
pub(crate) fn step(step: &Step<'_>) -> (ContainerStatus, Option<Timestamp>) {
    let mut status = step.last.cloned().unwrap_or_else(|| fresh(step.container));
    status.image.clone_from(&step.container.image_or_empty());
    let mut wake = None;
    // A container may end and start again in one step; each round moves on or stops.
    for _ in 0..4 {
        let state = status.state.clone().unwrap_or_default();
        let moved = if let Some(running) = &state.running {
            end(step, &mut status, running, &mut wake)
        } else if let Some(terminated) = &state.terminated {
            again(step, &mut status, terminated)
        } else {
            start(step, &mut status, &mut wake)
        };
        if !moved {
            break;
        }
    }
    let ready_at = readiness(step, &mut status);
    let wake = [wake, ready_at].into_iter().flatten().min();
    (status, wake)
}

trait Image {
    fn image_or_empty(&self) -> String;
}

impl Image for Container {
    fn image_or_empty(&self) -> String {
        self.image.clone().unwrap_or_default()
    }
}

fn fresh(container: &Container) -> ContainerStatus {
    ContainerStatus {
        name: container.name.clone(),
        image: container.image_or_empty(),
        started: Some(false),
        ..ContainerStatus::default()
    }
}

/// Waiting → running, unless something holds it.
fn start(step: &Step<'_>, status: &mut ContainerStatus, wake: &mut Option<Timestamp>) -> bool {
    if let Some((reason, message)) = step.held {
        status.state = Some(waiting(reason, message));
        return false;
    }
    if let Some(until) = backoff_ends(status)
        && until > step.now
    {
        let seconds = backoff(status.restart_count);
        let message = format!(
            "back-off {} restarting failed container={}",
            span(seconds),
            step.container.name
        );
        status.state = Some(waiting("CrashLoopBackOff", &message));
        *wake = Some(until);
        return false;
    }
    if status
        .last_state
        .as_ref()
        .is_some_and(|last| last.terminated.is_some())
    {
        status.restart_count += 1;
    }
    let hash = digest(&[
        step.pod_uid,
        &step.container.name,
        &status.restart_count.to_string(),
    ]);
    status.container_id = Some(format!("simulated://{hash}"));
    status.image_id = format!("simulated://{}", digest(&[&step.container.image_or_empty()]));
    status.state = Some(ContainerState {
        running: Some(ContainerStateRunning {
            started_at: Some(Time(step.now)),
        }),
        ..ContainerState::default()
    });
    true
}

/// Running → terminated, when its time is over.
fn end(
    step: &Step<'_>,
    status: &mut ContainerStatus,
    running: &ContainerStateRunning,
    wake: &mut Option<Timestamp>,
) -> bool {
    let started = running.started_at.as_ref().map_or(step.now, |time| time.0);
    let Run::Ends(after, code) = run(step.container, step.purpose) else {
        return false;
    };
    let ends = later(started, after);
    if ends > step.now {
        *wake = Some(ends);
        return false;
    }
    status.state = Some(ContainerState {
        terminated: Some(terminated(status, Some(Time(started)), ends.min(step.now), code)),
        ..ContainerState::default()
    });
    true
}

/// Terminated → waiting to start again, if the policy says so.
fn again(step: &Step<'_>, status: &mut ContainerStatus, terminated: &ContainerStateTerminated) -> bool {
    let restarts = match step.restart {
        Restart::Always => true,
        Restart::OnFailure => terminated.exit_code != 0,
        Restart::Never => false,
    };
    if restarts {
        status.last_state = Some(ContainerState {
            terminated: Some(terminated.clone()),
            ..ContainerState::default()
        });
        status.state = None;
    }
    restarts
}

/// Sets `started` and `ready`; answers when they change by themselves.
fn readiness(step: &Step<'_>, status: &mut ContainerStatus) -> Option<Timestamp> {
    let running = status.state.as_ref().and_then(|state| state.running.as_ref());
    let Some(since) = running.map(|running| running.started_at.as_ref().map_or(step.now, |time| time.0))
    else {
        let completed = status.state.as_ref().and_then(|state| state.terminated.as_ref());
        status.started = Some(false);
        status.ready = step.purpose == Purpose::Task && completed.is_some_and(|ended| ended.exit_code == 0);
        return None;
    };
    let started = later(since, passes_after(step.container.startup_probe.as_ref()));
    let ready = later(since, passes_after(step.container.readiness_probe.as_ref())).max(started);
    status.started = Some(started <= step.now);
    status.ready = ready <= step.now;
    [started, ready].into_iter().filter(|at| *at > step.now).min()
}

/// A probe succeeds each time, from its first one on.
fn passes_after(probe: Option<&Probe>) -> Duration {
    let Some(probe) = probe else { return Duration::ZERO };
    let positive =
        |value: Option<i32>, default: u64| value.and_then(|v| u64::try_from(v).ok()).unwrap_or(default);
    let period = positive(probe.period_seconds, 10).max(1);
    let repeats = positive(probe.success_threshold, 1).saturating_sub(1);
    Duration::from_secs(
        positive(probe.initial_delay_seconds, 0).saturating_add(period.saturating_mul(repeats)),
    )
}

/// The state of a container that is stopped from outside.
pub(crate) fn stopped(status: &ContainerStatus, now: Timestamp) -> ContainerStatus {
    let mut stopped = status.clone();
    stopped.ready = false;
    stopped.started = Some(false);
    let state = status.state.clone().unwrap_or_default();
    if state.terminated.is_none() {
        let started_at = state.running.and_then(|running| running.started_at);
        let code = if started_at.is_some() { 0 } else { 137 };
        stopped.state = Some(ContainerState {
            terminated: Some(terminated(status, started_at, now, code)),
            ..ContainerState::default()
        });
    }
    stopped
}

fn terminated(
    status: &ContainerStatus,
    started_at: Option<Time>,
    finished: Timestamp,
    exit_code: i32,
) -> ContainerStateTerminated {
    ContainerStateTerminated {
        container_id: status.container_id.clone(),
        exit_code,
        reason: Some(if exit_code == 0 { "Completed" } else { "Error" }.to_owned()),
        started_at,
        finished_at: Some(Time(finished)),
        ..ContainerStateTerminated::default()
    }
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    let message = (!message.is_empty()).then(|| message.to_owned());
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message,
        }),
        ..ContainerState::default()
    }
}

/// The first restart is at once, as the kubelet's; then 10 s, doubling to five minutes.
fn backoff(restarts: i32) -> i64 {
    match u32::try_from(restarts) {
        Ok(0) | Err(_) => 0,
        Ok(n) => BACKOFF_START.saturating_mul(1 << (n - 1).min(8)).min(BACKOFF_MAX),
    }
}

fn backoff_ends(status: &ContainerStatus) -> Option<Timestamp> {
    let ended = status
        .last_state
        .as_ref()?
        .terminated
        .as_ref()?
        .finished_at
        .as_ref()?;
    Some(later(
        ended.0,
        Duration::from_secs(u64::try_from(backoff(status.restart_count)).unwrap_or_default()),
    ))
}

/// As Go prints a duration of whole seconds.
fn span(seconds: i64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

fn later(time: Timestamp, after: Duration) -> Timestamp {
    time.checked_add(after).unwrap_or(Timestamp::MAX)
}

/// 64 hexadecimal digits, as an id looks.
fn digest(parts: &[&str]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(parts.join("\0"))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const START: i64 = 1_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(START + second).unwrap()
    }

    /// Steps at each of `seconds` and prints what the container is then.
    fn life(container: Value, purpose: Purpose, restart: Restart, seconds: &[i64]) -> Vec<String> {
        let container: Container = serde_json::from_value(container).unwrap();
        let mut last: Option<ContainerStatus> = None;
        let mut out = Vec::new();
        for second in seconds {
            let (status, wake) = step(&Step {
                container: &container,
                last: last.as_ref(),
                purpose,
                restart,
                held: None,
                pod_uid: "u",
                now: at(*second),
            });
            let state = status.state.clone().unwrap_or_default();
            let state = match (state.waiting, state.running, state.terminated) {
                (Some(waiting), ..) => waiting.reason.unwrap_or_default(),
                (_, Some(_), _) => "running".to_owned(),
                (.., Some(ended)) => format!("ended {}", ended.exit_code),
                _ => "nothing".to_owned(),
            };
            let ready = if status.ready { " ready" } else { "" };
            let wake = wake
                .map(|wake| format!(" until {}", wake.as_second() - START))
                .unwrap_or_default();
            out.push(format!("{state}{ready} x{}{wake}", status.restart_count));
            last = Some(status);
        }
        out
    }

    #[test]
    fn a_server_is_ready_when_its_probes_could_have_passed() {
        let container = json!({"name": "c",
            "startupProbe": {"initialDelaySeconds": 2},
            "readinessProbe": {"initialDelaySeconds": 5, "periodSeconds": 10, "successThreshold": 2}});
        assert_eq!(
            life(container, Purpose::Service, Restart::Always, &[0, 2, 15]),
            ["running x0 until 2", "running x0 until 15", "running ready x0"],
        );
    }

    #[test]
    fn a_failing_command_is_started_again_with_backoff() {
        let container = json!({"name": "c", "command": ["sh", "-c", "sleep 1; exit 1"]});
        assert_eq!(
            life(container, Purpose::Service, Restart::Always, &[0, 1, 2, 12, 13]),
            [
                "running ready x0 until 1",
                "running ready x1 until 2",
                "CrashLoopBackOff x1 until 12",
                "running ready x2 until 13",
                "CrashLoopBackOff x2 until 33",
            ],
        );
    }

    #[test]
    fn a_task_ends_and_stays_ended() {
        let container = json!({"name": "c", "command": ["sleep", "3"]});
        assert_eq!(
            life(container, Purpose::Task, Restart::OnFailure, &[0, 3, 100]),
            ["running ready x0 until 3", "ended 0 ready x0", "ended 0 ready x0"],
        );
    }
}
