//! Finished Jobs go `ttlSecondsAfterFinished` after their end.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::resource::JOBS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Propagation, ReconcileError, Reconciler, Triggers,
};

use crate::timestamp;

/// The controller.
pub(crate) struct TtlAfterFinished;

/// When a job's time is over; `None` while it runs, and without a time to live.
fn expiry(job: &Value) -> Option<Timestamp> {
    let ttl = job.int("/spec/ttlSecondsAfterFinished")?;
    let finished = job.items("/status/conditions").iter().find(|condition| {
        matches!(condition.text("/type"), "Complete" | "Failed") && condition.text("/status") == "True"
    })?;
    let since: Timestamp = finished.text("/lastTransitionTime").parse().ok()?;
    Some(timestamp::after_seconds(since, ttl))
}

#[async_trait]
impl Reconciler for TtlAfterFinished {
    fn name(&self) -> &'static str {
        "ttl-after-finished"
    }

    fn watches(&self) -> &'static [Resource] {
        &[JOBS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if !change.deleted {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(job) = cx.cluster.get(&JOBS, key).filter(|job| !job.meta().deleting) else {
            return Ok(Next::Wait);
        };
        let Some(expiry) = expiry(&job.to_value()) else {
            return Ok(Next::Wait);
        };
        if expiry > cx.now {
            return Ok(Next::After(timestamp::until(expiry, cx.now)));
        }
        let options = DeleteOptions {
            uid: Some(job.meta().uid.to_string()),
            propagation: Some(Propagation::Foreground),
            ..DeleteOptions::default()
        };
        match cx.cluster.delete(&JOBS, key, options).await {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(Next::Wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::fake::{FakeCluster, NOW, later};

    #[tokio::test]
    async fn a_finished_job_goes_after_its_time() {
        let cluster = FakeCluster::new();
        cluster.put(
            &JOBS,
            json!({"metadata": {"name": "j"}, "spec": {"ttlSecondsAfterFinished": 60},
            "status": {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": NOW}]}}),
        );
        cluster.put(
            &JOBS,
            json!({"metadata": {"name": "runs"}, "spec": {"ttlSecondsAfterFinished": 0}}),
        );
        let next = cluster.settle(&[&TtlAfterFinished], &later(20)).await;
        assert_eq!(next, Next::After(Duration::from_secs(40)));
        cluster.settle(&[&TtlAfterFinished], &later(60)).await;
        assert!(
            cluster
                .value(&JOBS, "default/j")
                .at("/metadata/deletionTimestamp")
                .is_string()
        );
        assert!(
            cluster
                .value(&JOBS, "default/runs")
                .at("/metadata/deletionTimestamp")
                .is_null()
        );
    }
}
