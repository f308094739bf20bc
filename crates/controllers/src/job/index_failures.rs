//! `spec.backoffLimitPerIndex`: each index of an indexed job has failures of its own. A failed pod carries how often its
//! index failed before it; it keeps its finalizer, and so stays, until the pod that replaces it carries the count on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::failure_policy::{Verdict, judge};
use super::plan::{finished_at, wait_after};
use super::tally::{is_failed, is_tracked, size};
use super::{Job, completion_index, indexes};
use crate::pod::Pod;

/// How often the index of a pod failed before it.
pub(super) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How often in ways that a failure policy ignores.
pub(super) const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// The failures of an index, as its pod carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) counted: i64,
    pub(super) ignored: i64,
}

impl Failures {
    /// Before this pod.
    fn before(pod: &Pod) -> Self {
        let read = |name: &str| pod.metadata.annotations.get(name)?.parse().ok();
        Self {
            counted: read(FAILURES).unwrap_or_default(),
            ignored: read(IGNORED).unwrap_or_default(),
        }
    }

    /// With this pod, which failed.
    fn with(job: &Job, pod: &Pod) -> Self {
        let Self { counted, ignored } = Self::before(pod);
        match judge(job.parts.spec.pod_failure_policy.as_ref(), pod) {
            Verdict::Ignore => Self {
                counted,
                ignored: ignored + 1,
            },
            _ => Self {
                counted: counted + 1,
                ignored,
            },
        }
    }

    fn all(self) -> i64 {
        self.counted + self.ignored
    }
}

/// What is known of the indexes of a job with a limit for each.
#[derive(Debug, Default)]
pub(super) struct IndexFailures<'a> {
    /// Not tried again.
    pub(super) failed: BTreeSet<i64>,
    /// The last failed pod of each index that has no other pod yet.
    pub(super) held: BTreeMap<i64, &'a Pod>,
}

impl<'a> IndexFailures<'a> {
    /// Nothing for a job without such a limit.
    pub(super) fn of(job: &Job, pods: &'a [Pod], completed: &BTreeSet<i64>) -> Option<Self> {
        let limit = i64::from(job.parts.spec.backoff_limit_per_index?);
        let completions = job.completions()?;
        let told = job.parts.status.failed_indexes.as_deref().unwrap_or_default();
        let mut this = Self {
            failed: indexes::parse(told, completions),
            held: BTreeMap::new(),
        };
        let index = |pod: &Pod| completion_index(pod).filter(|index| (0..completions).contains(index));
        let tracked = pods.iter().filter(|pod| is_tracked(pod));
        let failed: Vec<(i64, &Pod)> = tracked
            .filter(|pod| is_failed(job, pod))
            .filter_map(|pod| Some((index(pod)?, pod)))
            .collect();
        for (index, pod) in &failed {
            let is_last = match judge(job.parts.spec.pod_failure_policy.as_ref(), pod) {
                Verdict::FailIndex => true,
                Verdict::Ignore => false,
                Verdict::Count | Verdict::FailJob(_) => Failures::before(pod).counted >= limit,
            };
            if is_last {
                this.failed.insert(*index);
            }
        }
        let active: BTreeSet<i64> = pods
            .iter()
            .filter(|pod| pod.is_active())
            .filter_map(index)
            .collect();
        for (index, pod) in failed {
            if completed.contains(&index) || this.failed.contains(&index) || active.contains(&index) {
                continue;
            }
            let age = |pod: &Pod| (Failures::before(pod).all(), finished_at(pod));
            let last = this.held.entry(index).or_insert(pod);
            if age(pod) >= age(last) {
                *last = pod;
            }
        }
        Some(this)
    }

    /// Whether a pod stays until another takes its place.
    pub(super) fn holds(&self, pod: &Pod) -> bool {
        self.held.values().any(|held| held.meta().uid == pod.meta().uid)
    }

    /// What the next pod of an index carries.
    pub(super) fn carried(&self, job: &Job, index: i64) -> Failures {
        let last = self.held.get(&index);
        last.map(|pod| Failures::with(job, pod)).unwrap_or_default()
    }

    /// How long an index waits after its last failure.
    pub(super) fn wait(&self, index: i64, now: Timestamp) -> Option<Duration> {
        let last = self.held.get(&index)?;
        wait_after(Failures::before(last).all() + 1, finished_at(last)?, now)
    }

    /// How many failed for good.
    pub(super) fn count(&self) -> i64 {
        size(self.failed.len())
    }
}
