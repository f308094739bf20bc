//! The conditions of a Deployment, and when they change.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus, ReplicaSetCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Deployment;
use crate::timestamp;

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl ConditionStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// The condition of that type.
pub(super) fn find<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == kind)
}

/// A `Progressing` condition that begins now.
pub(super) fn progressing(
    status: ConditionStatus,
    reason: &str,
    message: String,
    now: Timestamp,
) -> DeploymentCondition {
    new("Progressing", status, reason, message, now)
}

/// An `Available` condition that begins now.
pub(super) fn available(is: bool, now: Timestamp) -> DeploymentCondition {
    let (status, reason, message) = if is {
        (
            ConditionStatus::True,
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            ConditionStatus::False,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    new("Available", status, reason, message.to_owned(), now)
}

fn new(
    kind: &str,
    status: ConditionStatus,
    reason: &str,
    message: String,
    now: Timestamp,
) -> DeploymentCondition {
    let now = Time(timestamp::whole_seconds(now));
    DeploymentCondition {
        type_: kind.to_owned(),
        status: status.as_str().to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: Some(now.clone()),
        last_transition_time: Some(now),
    }
}

/// What a ReplicaSet's failure is for its Deployment.
pub(super) fn replica_failure(condition: &ReplicaSetCondition) -> DeploymentCondition {
    DeploymentCondition {
        type_: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        last_update_time: condition.last_transition_time.clone(),
        last_transition_time: condition.last_transition_time.clone(),
    }
}

/// Sets a condition, at the end of the list. Nothing changes while status and reason stay the same.
pub(super) fn set(conditions: &mut Vec<DeploymentCondition>, mut condition: DeploymentCondition) {
    let old = conditions.iter().find(|old| old.type_ == condition.type_);
    if let Some(old) = old {
        if old.status == condition.status && old.reason == condition.reason {
            return;
        }
        if old.status == condition.status {
            condition.last_transition_time = old.last_transition_time.clone();
        }
    }
    remove(conditions, &condition.type_);
    conditions.push(condition);
}

/// Removes the condition of that type.
pub(super) fn remove(conditions: &mut Vec<DeploymentCondition>, kind: &str) {
    conditions.retain(|condition| condition.type_ != kind);
}

/// The seconds without progress that a rollout is granted; `None` for any number.
pub(super) fn progress_deadline(deployment: &Deployment) -> Option<i64> {
    let seconds = deployment.spec().progress_deadline_seconds?;
    (seconds != i32::MAX).then_some(i64::from(seconds))
}

/// The condition that pausing or resuming sets, if it has to change.
pub(super) fn paused(deployment: &Deployment, now: Timestamp) -> Option<DeploymentCondition> {
    progress_deadline(deployment)?;
    let current =
        find(&deployment.parts.status, "Progressing").and_then(|condition| condition.reason.as_deref());
    let (reason, message) = match (deployment.is_paused(), current) {
        (_, Some("ProgressDeadlineExceeded")) | (true, Some("DeploymentPaused")) => return None,
        (true, _) => ("DeploymentPaused", "Deployment is paused"),
        (false, Some("DeploymentPaused")) => ("DeploymentResumed", "Deployment is resumed"),
        (false, _) => return None,
    };
    Some(progressing(
        ConditionStatus::Unknown,
        reason,
        message.to_owned(),
        now,
    ))
}
