//! The status of a ReplicaSet.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_reconciler::Next;

use super::{ReplicaSet, Scale};
use crate::pod::Pod;
use crate::status::Fields;
use crate::timestamp;

/// What the status is made of.
pub(super) struct Observed<'a> {
    /// The set.
    pub(super) set: &'a ReplicaSet,
    /// Its active pods, as they were before this pass made or deleted any.
    pub(super) active: &'a [Pod],
    /// How many of its pods are going, where that is told.
    pub(super) terminating: Option<usize>,
    /// What was tried and failed.
    pub(super) failure: Option<(Scale, &'a str)>,
    /// The time of the pass.
    pub(super) now: Timestamp,
}

impl Observed<'_> {
    fn min_ready_seconds(&self) -> i64 {
        i64::from(self.set.spec.min_ready_seconds.unwrap_or_default())
    }

    fn count(&self, keep: impl Fn(&Pod) -> bool) -> i64 {
        count(self.active.iter().filter(|pod| keep(pod)).count())
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The status to write.
pub(super) fn decide(observed: &Observed<'_>) -> Value {
    let min_ready = observed.min_ready_seconds();
    let template_labels = observed
        .set
        .spec
        .template
        .as_ref()
        .and_then(|template| template.metadata.as_ref())
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default();
    let fully_labeled = |pod: &Pod| {
        template_labels
            .iter()
            .all(|(key, value)| pod.meta().label(key) == Some(value))
    };
    Fields::default()
        .with("replicas", count(observed.active.len()))
        .number("fullyLabeledReplicas", observed.count(fully_labeled))
        .number("readyReplicas", observed.count(Pod::is_ready))
        .number(
            "availableReplicas",
            observed.count(|pod| pod.is_available(min_ready, observed.now)),
        )
        .option("terminatingReplicas", observed.terminating.map(count))
        .number(
            "observedGeneration",
            observed.set.metadata.generation.unwrap_or_default(),
        )
        .list("conditions", conditions(observed))
        .build()
}

/// `ReplicaFailure` appears with the first failure and goes with the first success; others' conditions stay.
fn conditions(observed: &Observed<'_>) -> Vec<Value> {
    let old = observed.set.status.conditions.as_deref().unwrap_or_default();
    let mut conditions: Vec<Value> = old
        .iter()
        .filter(|condition| condition.type_ != "ReplicaFailure" || observed.failure.is_some())
        .filter_map(|condition| serde_json::to_value(condition).ok())
        .collect();
    let known = old.iter().any(|condition| condition.type_ == "ReplicaFailure");
    if let (Some((plan, message)), false) = (observed.failure, known) {
        let reason = match plan {
            Scale::Delete(_) => "FailedDelete",
            _ => "FailedCreate",
        };
        conditions.push(json!({
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": timestamp::text(observed.now),
            "reason": reason,
            "message": message,
        }));
    }
    conditions
}

/// When the next ready pod becomes available.
pub(super) fn next(observed: &Observed<'_>) -> Next {
    let min_ready = observed.min_ready_seconds();
    observed
        .active
        .iter()
        .filter_map(|pod| pod.available_at(min_ready, observed.now))
        .min()
        .map_or(Next::Wait, |at| Next::After(timestamp::until(at, observed.now)))
}
