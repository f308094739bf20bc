//! When a Job is decided, and how its conditions say so.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::JobCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::tally::{Tally, size};
use super::{Job, indexes};
use crate::pod::Pod;
use crate::timestamp;

/// How a job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Outcome {
    fn failure(reason: &str, message: impl Into<String>) -> Self {
        Self {
            success: false,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn success(reason: &str, message: impl Into<String>) -> Self {
        Self {
            success: true,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// The condition that announces the outcome while pods still go.
    pub(super) fn announcement(&self) -> &'static str {
        if self.success {
            "SuccessCriteriaMet"
        } else {
            "FailureTarget"
        }
    }

    /// The condition that says that all is over.
    pub(super) fn conclusion(&self) -> &'static str {
        if self.success { "Complete" } else { "Failed" }
    }
}

/// The outcome that was announced before.
pub(super) fn announced(conditions: &[JobCondition]) -> Option<Outcome> {
    let condition = conditions.iter().find(|condition| {
        condition.status == "True"
            && matches!(condition.type_.as_str(), "SuccessCriteriaMet" | "FailureTarget")
    })?;
    Some(Outcome {
        success: condition.type_ == "SuccessCriteriaMet",
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
    })
}

/// Whether the job is decided: failure first.
pub(super) fn decide(job: &Job, tally: &Tally<'_>, pods: &[Pod], now: Timestamp) -> Option<Outcome> {
    let limit = i64::from(job.parts.spec.backoff_limit.unwrap_or(6));
    if let Some(why) = &tally.fatal {
        return Some(Outcome::failure("PodFailurePolicy", why.clone()));
    }
    if tally.failed() > limit || restarted_too_often(job, pods, limit) {
        let message = "Job has reached the specified backoff limit";
        return Some(Outcome::failure("BackoffLimitExceeded", message));
    }
    if job.deadline().is_some_and(|deadline| deadline <= now) {
        let message = "Job was active longer than specified deadline";
        return Some(Outcome::failure("DeadlineExceeded", message));
    }
    let failed = tally.failed_indexes();
    let most = job.parts.spec.max_failed_indexes.map(i64::from);
    if most.is_some_and(|most| failed > most) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return Some(Outcome::failure("MaxFailedIndexesExceeded", message));
    }
    if failed > 0
        && job
            .completions()
            .is_some_and(|all| tally.succeeded() + failed >= all)
    {
        return Some(Outcome::failure("FailedIndexes", "Job has failed indexes"));
    }
    if let Some(index) = matched_success_rule(job, tally) {
        let message = format!("Matched rules at index {index}");
        return Some(Outcome::success("SuccessPolicy", message));
    }
    let complete = match job.completions() {
        Some(completions) => tally.succeeded() >= completions,
        // A work queue is done when one pod succeeded and no other runs.
        None => tally.succeeded() > 0 && !pods.iter().any(|pod| !pod.is_terminal()),
    };
    complete.then(|| Outcome::success("CompletionsReached", "Reached expected number of succeeded pods"))
}

/// With `restartPolicy: OnFailure`, restarts are what the limit is about.
fn restarted_too_often(job: &Job, pods: &[Pod], limit: i64) -> bool {
    let restart_policy = job
        .parts
        .spec
        .template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref());
    if restart_policy != Some("OnFailure") {
        return false;
    }
    let restarts: i64 = pods
        .iter()
        .filter(|pod| !pod.is_terminal())
        .map(|pod| i64::from(pod.restarts()))
        .sum();
    if limit == 0 {
        restarts > 0
    } else {
        restarts >= limit
    }
}

fn matched_success_rule(job: &Job, tally: &Tally<'_>) -> Option<usize> {
    let completed = tally.completed.as_ref()?;
    let rules = &job.parts.spec.success_policy.as_ref()?.rules;
    rules.iter().position(|rule| {
        let named = rule.succeeded_indexes.as_deref();
        let named = named.map(|text| indexes::parse(text, job.completions().unwrap_or_default()));
        let matched = match &named {
            Some(named) => size(named.intersection(completed).count()),
            None => size(completed.len()),
        };
        let needed = rule
            .succeeded_count
            .map(i64::from)
            .or(named.map(|named| size(named.len())));
        needed.is_some_and(|needed| matched >= needed)
    })
}

/// A condition that begins now.
pub(super) fn condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> JobCondition {
    let now = Time(timestamp::whole_seconds(now));
    JobCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(now.clone()),
        last_transition_time: Some(now),
    }
}

/// Suspension as the conditions tell it: whether it is news, and which.
pub(super) fn tell_suspension(
    conditions: &mut Vec<JobCondition>,
    suspended: bool,
    now: Timestamp,
) -> Option<&'static str> {
    let current = conditions
        .iter()
        .position(|condition| condition.type_ == "Suspended");
    let (status, reason, message) = if suspended {
        ("True", "JobSuspended", "Job suspended")
    } else {
        ("False", "JobResumed", "Job resumed")
    };
    match current.and_then(|at| conditions.get_mut(at)) {
        Some(old) if old.status == status => None,
        Some(old) => {
            *old = condition("Suspended", status, reason, message, now);
            Some(if suspended { "Suspended" } else { "Resumed" })
        }
        None if suspended => {
            conditions.push(condition("Suspended", status, reason, message, now));
            Some("Suspended")
        }
        None => None,
    }
}
