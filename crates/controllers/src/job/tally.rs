//! Counts finished pods, each exactly once: a finished pod is first noted in the status, then loses its finalizer, and
//! when that is gone it moves from the notes to the counts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::failure_policy::{Verdict, judge};
use super::index_failures::IndexFailures;
use super::{Job, TRACKING, completion_index, indexes};
use crate::pod::Pod;

/// What came of a Job's pods so far.
#[derive(Debug, Default)]
pub(super) struct Tally<'a> {
    /// `status.succeeded` of jobs without indexes.
    counted_succeeded: i64,
    /// `status.failed`.
    counted_failed: i64,
    /// Noted, but not yet counted.
    pub(super) uncounted_succeeded: BTreeSet<String>,
    pub(super) uncounted_failed: BTreeSet<String>,
    /// The indexes that succeeded, of jobs that have them.
    pub(super) completed: Option<BTreeSet<i64>>,
    /// The failures of each index, where each has a limit.
    pub(super) per_index: Option<IndexFailures<'a>>,
    /// Pods that lose their finalizer once this tally is written.
    pub(super) release: Vec<&'a Pod>,
    /// The first pod that fails the whole job.
    pub(super) fatal: Option<String>,
}

/// Whether a pod still holds the Job's finalizer.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.meta()
        .finalizers
        .iter()
        .any(|finalizer| finalizer == TRACKING)
}

/// Failed, or going before it succeeded (unless only failed pods are replaced).
pub(super) fn is_failed(job: &Job, pod: &Pod) -> bool {
    pod.is_failed() || (!job.replaces_only_failed() && pod.meta().deleting && !pod.is_succeeded())
}

impl<'a> Tally<'a> {
    /// Takes the status further by what the pods say.
    pub(super) fn of(job: &Job, pods: &'a [Pod]) -> Self {
        let status = &job.parts.status;
        let noted = status.uncounted_terminated_pods.clone().unwrap_or_default();
        let mut tally = Self {
            counted_succeeded: i64::from(status.succeeded.unwrap_or_default()),
            counted_failed: i64::from(status.failed.unwrap_or_default()),
            completed: job
                .completions()
                .filter(|_| job.is_indexed())
                .map(|n| indexes::parse(status.completed_indexes.as_deref().unwrap_or_default(), n)),
            ..Self::default()
        };
        let tracked: BTreeSet<&str> = pods
            .iter()
            .filter(|pod| is_tracked(pod))
            .map(|pod| pod.meta().uid.as_str())
            .collect();
        for uid in noted.succeeded.into_iter().flatten() {
            if tracked.contains(uid.as_str()) {
                tally.uncounted_succeeded.insert(uid);
            } else {
                tally.counted_succeeded += 1;
            }
        }
        for uid in noted.failed.into_iter().flatten() {
            if tracked.contains(uid.as_str()) {
                tally.uncounted_failed.insert(uid);
            } else {
                tally.counted_failed += 1;
            }
        }
        let (succeeded, others): (Vec<&Pod>, Vec<&Pod>) = pods
            .iter()
            .filter(|pod| is_tracked(pod))
            .partition(|pod| pod.is_succeeded());
        for pod in succeeded {
            tally.note(job, pod);
        }
        tally.per_index = tally
            .completed
            .as_ref()
            .and_then(|completed| IndexFailures::of(job, pods, completed));
        for pod in others {
            if !tally.per_index.as_ref().is_some_and(|indexes| indexes.holds(pod)) {
                tally.note(job, pod);
            }
        }
        tally
    }

    fn note(&mut self, job: &Job, pod: &'a Pod) {
        let uid = pod.meta().uid.to_string();
        if self.uncounted_succeeded.contains(&uid) || self.uncounted_failed.contains(&uid) {
            self.release.push(pod);
        } else if pod.is_succeeded() {
            self.release.push(pod);
            match &mut self.completed {
                Some(completed) => {
                    let index = completion_index(pod).filter(|index| Some(*index) < job.completions());
                    completed.extend(index);
                }
                None => {
                    self.uncounted_succeeded.insert(uid);
                }
            }
        } else if is_failed(job, pod) {
            self.release.push(pod);
            let policy = job.parts.spec.pod_failure_policy.as_ref();
            // Only what ended can be judged; a pod that is going counts.
            let verdict = if pod.is_failed() {
                judge(policy, pod)
            } else {
                Verdict::Count
            };
            if let Verdict::FailJob(why) = &verdict {
                self.fatal.get_or_insert_with(|| why.clone());
            }
            if verdict != Verdict::Ignore {
                self.uncounted_failed.insert(uid);
            }
        }
    }

    /// When the job is decided, what still runs is let go: of a failed job it counts as failed, of a successful one
    /// not at all.
    pub(super) fn close(&mut self, pods: &'a [Pod], failed: bool) {
        let held = self
            .per_index
            .as_mut()
            .map(|indexes| std::mem::take(&mut indexes.held));
        for pod in held.into_iter().flatten().map(|(_, pod)| pod) {
            self.release.push(pod);
            self.uncounted_failed.insert(pod.meta().uid.to_string());
        }
        for pod in pods.iter().filter(|pod| is_tracked(pod) && !pod.is_terminal()) {
            let uid = pod.meta().uid.to_string();
            if !self
                .release
                .iter()
                .any(|released| released.meta().uid == pod.meta().uid)
            {
                self.release.push(pod);
                if failed {
                    self.uncounted_failed.insert(uid);
                }
            }
        }
    }

    /// How many succeeded, noted ones included.
    pub(super) fn succeeded(&self) -> i64 {
        match &self.completed {
            Some(completed) => size(completed.len()),
            None => self.counted_succeeded + size(self.uncounted_succeeded.len()),
        }
    }

    /// How many failed, noted ones included.
    pub(super) fn failed(&self) -> i64 {
        let held = self.per_index.as_ref().map_or(0, |indexes| indexes.held.len());
        self.counted_failed + size(self.uncounted_failed.len() + held)
    }

    /// How many indexes failed for good.
    pub(super) fn failed_indexes(&self) -> i64 {
        self.per_index.as_ref().map_or(0, IndexFailures::count)
    }

    /// `status.succeeded`.
    pub(super) fn told_succeeded(&self) -> i64 {
        match &self.completed {
            Some(completed) => size(completed.len()),
            None => self.counted_succeeded,
        }
    }

    /// `status.failed`.
    pub(super) fn told_failed(&self) -> i64 {
        self.counted_failed
    }

    /// Whether everything noted is counted.
    pub(super) fn is_settled(&self) -> bool {
        self.uncounted_succeeded.is_empty() && self.uncounted_failed.is_empty() && self.release.is_empty()
    }

    /// `status.uncountedTerminatedPods`.
    pub(super) fn uncounted(&self) -> Value {
        let mut uncounted = json!({});
        for (name, uids) in [
            ("succeeded", &self.uncounted_succeeded),
            ("failed", &self.uncounted_failed),
        ] {
            if !uids.is_empty()
                && let Some(map) = uncounted.as_object_mut()
            {
                map.insert(name.to_owned(), uids.iter().cloned().collect());
            }
        }
        uncounted
    }
}

pub(super) fn size(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
