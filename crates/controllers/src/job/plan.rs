//! What a Job does next: pure.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::JobCondition;
use serde_json::Value;

use super::index_failures::Failures;
use super::outcome::{self, Outcome};
use super::tally::{Tally, size};
use super::{Job, completion_index, indexes};
use crate::pod::Pod;
use crate::pod_control::BURST;
use crate::status::Fields;
use crate::timestamp;

const BACKOFF_BASE: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_secs(600);

/// What to do, in this order: write the status, let pods go, delete, create.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) status: Value,
    /// Lose their finalizer.
    pub(super) release: Vec<&'a Pod>,
    /// Go, because the job is decided.
    pub(super) delete: Vec<&'a Pod>,
    /// Lose their finalizer first, then go: they do not count.
    pub(super) dismiss: Vec<&'a Pod>,
    /// Come.
    pub(super) create: Vec<New>,
    /// `Suspended` or `Resumed`.
    pub(super) suspension: Option<&'static str>,
    /// The job ended with this pass.
    pub(super) concluded: Option<Outcome>,
    /// When to look again.
    pub(super) after: Option<Duration>,
}

/// A pod that comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct New {
    /// Where the job has them.
    pub(super) index: Option<i64>,
    /// Of that index, where each has a limit.
    pub(super) failures: Option<Failures>,
}

/// What to do with the job and its pods.
pub(super) fn plan<'a>(job: &Job, pods: &'a [Pod], now: Timestamp) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut tally = Tally::of(job, pods);
    let mut conditions = job.parts.status.conditions.clone().unwrap_or_default();
    let decided = outcome::announced(&conditions).or_else(|| outcome::decide(job, &tally, pods, now));
    let suspended = job.is_suspended() && decided.is_none();
    if decided.is_none() {
        plan.suspension = outcome::tell_suspension(&mut conditions, suspended, now);
    }
    let active: Vec<&Pod> = pods.iter().filter(|pod| pod.is_active()).collect();
    let terminating = pods.iter().filter(|pod| pod.is_terminating()).count();
    let mut completed_at = job.parts.status.completion_time.as_ref().map(|time| time.0);
    if let Some(outcome) = decided {
        plan.delete = active.clone();
        tally.close(pods, !outcome.success);
        announce(&mut conditions, &outcome, now);
        if tally.is_settled() && active.is_empty() && terminating == 0 {
            let Outcome { reason, message, .. } = &outcome;
            conditions.push(outcome::condition(
                outcome.conclusion(),
                "True",
                reason,
                message,
                now,
            ));
            completed_at = outcome.success.then_some(now);
            plan.concluded = Some(outcome);
        }
    } else if suspended {
        plan.dismiss = active.clone();
    } else if !job.object.meta().deleting {
        fill(&mut plan, job, &tally, pods, now);
    }
    let start = match plan.suspension {
        Some("Resumed") => Some(now),
        _ => job.started().or_else(|| (!suspended).then_some(now)),
    };
    plan.after = [
        plan.after,
        job.deadline_from(start).map(|at| timestamp::until(at, now)),
    ]
    .into_iter()
    .flatten()
    .min();
    let going = plan.dismiss.len()
        + if plan.concluded.is_none() {
            plan.delete.len()
        } else {
            0
        };
    let counts = Counts {
        active: size(active.len().saturating_sub(going) + plan.create.len()),
        ready: size(active.iter().filter(|pod| pod.is_ready()).count()),
        terminating: size(terminating),
    };
    plan.status = status(&tally, counts, (start, completed_at), &conditions);
    plan.release = tally.release;
    plan
}

/// Puts the announcement in front of the conclusion that comes later.
fn announce(conditions: &mut Vec<JobCondition>, outcome: &Outcome, now: Timestamp) {
    if !conditions
        .iter()
        .any(|condition| condition.type_ == outcome.announcement())
    {
        let Outcome { reason, message, .. } = outcome;
        conditions.push(outcome::condition(
            outcome.announcement(),
            "True",
            reason,
            message,
            now,
        ));
    }
}

/// Makes or dismisses pods until as many run as should.
fn fill<'a>(plan: &mut Plan<'a>, job: &Job, tally: &Tally<'_>, pods: &'a [Pod], now: Timestamp) {
    let mut active: Vec<&Pod> = pods.iter().filter(|pod| pod.is_active()).collect();
    let parallelism = i64::from(job.parts.spec.parallelism.unwrap_or(1));
    let superfluous = superfluous(job, tally, &active);
    active.retain(|pod| !superfluous.iter().any(|other| other.meta().uid == pod.meta().uid));
    let running = size(active.len());
    let wanted = match job.completions() {
        Some(completions) => (completions - tally.succeeded() - tally.failed_indexes()).clamp(0, parallelism),
        None if tally.succeeded() > 0 => running.min(parallelism),
        None => parallelism,
    };
    let surplus = usize::try_from(running - wanted).unwrap_or_default();
    active.sort_by_key(|pod| {
        (
            !pod.spec.node_name.is_empty(),
            pod.is_ready(),
            std::cmp::Reverse(pod.metadata.creation_timestamp),
        )
    });
    plan.dismiss = superfluous
        .into_iter()
        .chain(active.iter().take(surplus).copied())
        .collect();
    if !plan.dismiss.is_empty() {
        return;
    }
    let waiting = if job.replaces_only_failed() {
        size(pods.iter().filter(|pod| pod.is_terminating()).count())
    } else {
        0
    };
    let missing = usize::try_from(wanted - running - waiting)
        .unwrap_or_default()
        .min(BURST);
    if missing == 0 {
        return;
    }
    if tally.per_index.is_none()
        && let Some(wait) = backoff(pods, now)
    {
        plan.after = Some(wait);
        return;
    }
    match &tally.completed {
        None => plan.create = vec![New::default(); missing],
        Some(completed) => {
            let held = pods
                .iter()
                .filter(|pod| pod.is_active() || (waiting > 0 && pod.is_terminating()));
            let held: BTreeSet<i64> = held.filter_map(completion_index).collect();
            let free = 0..job.completions().unwrap_or_default();
            let free = free.filter(|index| !completed.contains(index) && !held.contains(index));
            begin(plan, job, tally, free.collect(), (missing, now));
        }
    }
}

/// Begins the first free indexes, of those that need not wait.
fn begin(
    plan: &mut Plan<'_>,
    job: &Job,
    tally: &Tally<'_>,
    free: Vec<i64>,
    (missing, now): (usize, Timestamp),
) {
    let Some(per_index) = &tally.per_index else {
        let index = |index| New {
            index: Some(index),
            failures: None,
        };
        plan.create = free.into_iter().take(missing).map(index).collect();
        return;
    };
    for index in free {
        if per_index.failed.contains(&index) {
            continue;
        }
        if plan.create.len() == missing {
            break;
        }
        match per_index.wait(index, now) {
            Some(wait) => plan.after = Some(plan.after.map_or(wait, |after| after.min(wait))),
            None => plan.create.push(New {
                index: Some(index),
                failures: Some(per_index.carried(job, index)),
            }),
        }
    }
}

/// Of an indexed job: pods of indexes that are done, out of range, or held by an older pod.
fn superfluous<'a>(job: &Job, tally: &Tally<'_>, active: &[&'a Pod]) -> Vec<&'a Pod> {
    let Some(completed) = &tally.completed else {
        return Vec::new();
    };
    let mut by_age = active.to_vec();
    by_age.sort_by_key(|pod| pod.metadata.creation_timestamp);
    let mut seen = BTreeSet::new();
    by_age.retain(|pod| {
        let index = completion_index(pod).filter(|index| Some(*index) < job.completions());
        index.is_none_or(|index| completed.contains(&index) || !seen.insert(index))
    });
    by_age
}

/// How long to wait after the failures since the last success: 10 s, doubled with each, at most 10 min.
fn backoff(pods: &[Pod], now: Timestamp) -> Option<Duration> {
    let mut finished: Vec<(Timestamp, bool)> = pods
        .iter()
        .filter(|pod| pod.is_terminal())
        .filter_map(|pod| Some((finished_at(pod)?, pod.is_succeeded())))
        .collect();
    finished.sort_unstable();
    let failures = finished
        .iter()
        .rev()
        .take_while(|(_, succeeded)| !succeeded)
        .count();
    let (last, _) = finished.last().filter(|_| failures > 0)?;
    wait_after(size(failures), *last, now)
}

/// What is left of the wait after so many failures, the last of them then.
pub(super) fn wait_after(failures: i64, last: Timestamp, now: Timestamp) -> Option<Duration> {
    let doublings = u32::try_from(failures - 1).unwrap_or_default().min(16);
    let wait = BACKOFF_BASE.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    let until = timestamp::after_seconds(last, i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
    Some(timestamp::until(until, now)).filter(|left| !left.is_zero())
}

/// When its last container ended; failing that, when it stopped being ready, or was made.
pub(super) fn finished_at(pod: &Pod) -> Option<Timestamp> {
    let ends = pod.status.container_statuses.iter();
    let ends = ends
        .filter_map(|status| status.state.terminated.as_ref()?.finished_at)
        .max();
    ends.or_else(|| {
        pod.condition("Ready")
            .and_then(|ready| ready.last_transition_time)
    })
    .or(pod.metadata.deletion_timestamp)
    .or(pod.metadata.creation_timestamp)
}

#[derive(Clone, Copy)]
struct Counts {
    active: i64,
    ready: i64,
    terminating: i64,
}

fn status(
    tally: &Tally<'_>,
    counts: Counts,
    (start, completed): (Option<Timestamp>, Option<Timestamp>),
    conditions: &[JobCondition],
) -> Value {
    let conditions = conditions
        .iter()
        .filter_map(|condition| serde_json::to_value(condition).ok())
        .collect();
    let failed_indexes = tally.per_index.as_ref().map(|all| indexes::format(&all.failed));
    let completed_indexes = tally.completed.as_ref().map(indexes::format).unwrap_or_default();
    Fields::default()
        .list("conditions", conditions)
        .option("startTime", start.map(timestamp::text))
        .option("completionTime", completed.map(timestamp::text))
        .number("active", counts.active)
        .number("succeeded", tally.told_succeeded())
        .number("failed", tally.told_failed())
        .with("terminating", counts.terminating)
        .text("completedIndexes", &completed_indexes)
        .option("failedIndexes", failed_indexes)
        .with("uncountedTerminatedPods", tally.uncounted())
        .with("ready", counts.ready)
        .build()
}
