//! The status of a Deployment: counts, availability, progress.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus};
use serde_json::Value;
use warren_apimachinery::resource::DEPLOYMENTS;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::{Next, ReconcileError};

use super::conditions::{self, ConditionStatus, progress_deadline};
use super::replica_sets::ReplicaSet;
use super::{Deployment, Pass, Sets, replica_count};
use crate::status::{self as object_status, Fields};
use crate::timestamp;

/// The counts of all sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    total: i64,
    updated: i64,
    ready: i64,
    available: i64,
    terminating: Option<i64>,
}

impl Counts {
    fn of(sets: &Sets) -> Self {
        let sum = |count: fn(&ReplicaSet) -> i64| sets.all().map(count).sum();
        Self {
            total: sum(|set| set.actual),
            updated: sets.new.as_ref().map_or(0, |set| set.actual),
            ready: sum(|set| set.ready),
            available: sum(|set| set.available),
            terminating: sets.all().map(|set| set.terminating).sum(),
        }
    }

    fn told(status: &DeploymentStatus) -> Self {
        let number = |count: Option<i32>| i64::from(count.unwrap_or_default());
        Self {
            total: number(status.replicas),
            updated: number(status.updated_replicas),
            ready: number(status.ready_replicas),
            available: number(status.available_replicas),
            terminating: status.terminating_replicas.map(i64::from),
        }
    }

    fn complete(&self, wanted: i64) -> bool {
        self.updated == wanted && self.total == wanted && self.available == wanted
    }

    fn progressed_since(&self, old: &Self) -> bool {
        self.updated > old.updated
            || self.total - self.updated < old.total - old.updated
            || self.ready > old.ready
            || self.available > old.available
    }
}

fn build(deployment: &Deployment, counts: &Counts, conditions: &[DeploymentCondition]) -> Value {
    let collisions = deployment.parts.status.collision_count.map(i64::from);
    let conditions = conditions
        .iter()
        .filter_map(|condition| serde_json::to_value(condition).ok())
        .collect();
    Fields::default()
        .number(
            "observedGeneration",
            deployment.parts.metadata.generation.unwrap_or_default(),
        )
        .number("replicas", counts.total)
        .number("updatedReplicas", counts.updated)
        .number("readyReplicas", counts.ready)
        .number("availableReplicas", counts.available)
        .number("unavailableReplicas", (counts.total - counts.available).max(0))
        .option("terminatingReplicas", counts.terminating)
        .list("conditions", conditions)
        .option("collisionCount", collisions)
        .build()
}

/// The conditions with availability told.
fn with_availability(deployment: &Deployment, counts: &Counts, now: Timestamp) -> Vec<DeploymentCondition> {
    let mut all = deployment.parts.status.conditions.clone().unwrap_or_default();
    let least = replica_count::wanted(deployment.spec()) - replica_count::max_unavailable(deployment.spec());
    conditions::set(&mut all, conditions::available(counts.available >= least, now));
    all
}

/// What a rollout's progress makes of the `Progressing` condition.
fn tell_progress(
    all: &mut Vec<DeploymentCondition>,
    deployment: &Deployment,
    sets: &Sets,
    counts: &Counts,
    now: Timestamp,
) {
    let Some(deadline) = progress_deadline(deployment) else {
        conditions::remove(all, "Progressing");
        return;
    };
    let current = conditions::find(&deployment.parts.status, "Progressing");
    let is = |reason: &str| current.is_some_and(|condition| condition.reason.as_deref() == Some(reason));
    if counts.total == counts.updated && is("NewReplicaSetAvailable") {
        return;
    }
    let subject = match &sets.new {
        Some(new) => format!("ReplicaSet {:?}", new.name()),
        None => format!("Deployment {:?}", deployment.name()),
    };
    let told = Counts::told(&deployment.parts.status);
    if counts.complete(replica_count::wanted(deployment.spec())) {
        let message = format!("{subject} has successfully progressed.");
        let condition =
            conditions::progressing(ConditionStatus::True, "NewReplicaSetAvailable", message, now);
        conditions::set(all, condition);
    } else if counts.progressed_since(&told) {
        let message = format!("{subject} is progressing.");
        let mut condition = conditions::progressing(ConditionStatus::True, "ReplicaSetUpdated", message, now);
        if let Some(current) = current.filter(|current| current.status == "True") {
            condition.last_transition_time = current.last_transition_time.clone();
        }
        // Set anew even if status and reason stay: its update time is what the deadline counts from.
        conditions::remove(all, "Progressing");
        conditions::set(all, condition);
    } else if is("ProgressDeadlineExceeded") || current.is_some_and(|c| deadline_of(c, deadline) < Some(now))
    {
        if current.is_some_and(|c| c.reason.as_deref() == Some("NewReplicaSetAvailable")) {
            return;
        }
        let message = format!("{subject} has timed out progressing.");
        let condition =
            conditions::progressing(ConditionStatus::False, "ProgressDeadlineExceeded", message, now);
        conditions::set(all, condition);
    }
}

fn deadline_of(condition: &DeploymentCondition, seconds: i64) -> Option<Timestamp> {
    let updated = condition.last_update_time.as_ref()?;
    Some(timestamp::after_seconds(updated.0, seconds))
}

/// When to look whether the deadline passed.
fn next_check(deployment: &Deployment, counts: &Counts, now: Timestamp) -> Next {
    let progressing = conditions::find(&deployment.parts.status, "Progressing");
    let (Some(condition), Some(deadline)) = (progressing, progress_deadline(deployment)) else {
        return Next::Wait;
    };
    let timed_out = condition.reason.as_deref() == Some("ProgressDeadlineExceeded");
    if timed_out || counts.complete(replica_count::wanted(deployment.spec())) {
        return Next::Wait;
    }
    match deadline_of(condition, deadline) {
        Some(at) => Next::After(timestamp::until(timestamp::after_seconds(at, 1), now)),
        None => Next::Wait,
    }
}

impl Pass<'_> {
    /// Whether the rollout is done, as last told.
    pub(super) fn is_complete(&self) -> bool {
        let status = &self.deployment.parts.status;
        Counts::told(status).complete(replica_count::wanted(self.deployment.spec()))
            && status.observed_generation >= self.deployment.parts.metadata.generation
    }

    /// Tells that pausing or resuming was seen.
    pub(super) async fn check_paused(&mut self) -> Result<(), ReconcileError> {
        match conditions::paused(&self.deployment, self.cx.now) {
            Some(condition) => self.write_condition(condition).await,
            None => Ok(()),
        }
    }

    /// Writes one condition and leaves the rest of the status.
    pub(super) async fn write_condition(
        &mut self,
        condition: DeploymentCondition,
    ) -> Result<(), ReconcileError> {
        let mut all = self
            .deployment
            .parts
            .status
            .conditions
            .clone()
            .unwrap_or_default();
        conditions::set(&mut all, condition);
        let mut status = self.deployment.object.to_value().at("/status").clone();
        status.set("/conditions", serde_json::to_value(&all).unwrap_or_default());
        self.write(status).await
    }

    async fn write(&mut self, status: Value) -> Result<(), ReconcileError> {
        let cluster = self.cx.cluster.as_ref();
        let object = object_status::write(cluster, &DEPLOYMENTS, &self.deployment.object, status).await?;
        self.refresh(object)
    }

    /// Counts and availability only.
    pub(super) async fn sync_status(mut self) -> Result<Next, ReconcileError> {
        let counts = Counts::of(&self.sets);
        let all = with_availability(&self.deployment, &counts, self.cx.now);
        self.write(build(&self.deployment, &counts, &all)).await?;
        Ok(Next::Wait)
    }

    /// Counts, availability, progress and failures.
    pub(super) async fn sync_rollout_status(mut self) -> Result<Next, ReconcileError> {
        let counts = Counts::of(&self.sets);
        let mut all = with_availability(&self.deployment, &counts, self.cx.now);
        tell_progress(&mut all, &self.deployment, &self.sets, &counts, self.cx.now);
        let new_first = self.sets.new.iter().chain(&self.sets.old);
        let failure = new_first
            .flat_map(|set| &set.conditions)
            .find(|condition| condition.type_ == "ReplicaFailure");
        match failure {
            Some(failure) => conditions::set(&mut all, conditions::replica_failure(failure)),
            None => conditions::remove(&mut all, "ReplicaFailure"),
        }
        self.write(build(&self.deployment, &counts, &all)).await?;
        Ok(next_check(&self.deployment, &counts, self.cx.now))
    }
}
