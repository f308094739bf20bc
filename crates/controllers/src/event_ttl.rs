//! Events go an hour after they were last written, as with upstream's `--event-ttl`.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::resource::EVENTS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, ReconcileError, Reconciler, Triggers,
};

use crate::timestamp;

/// How long an event is kept.
const TTL_SECONDS: i64 = 3600;

/// The controller.
pub(crate) struct EventTtl;

/// When an event's time is over: so long after the latest time that it tells of.
fn expiry(event: &Value) -> Option<Timestamp> {
    const TIMES: [&str; 6] = [
        "/metadata/creationTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/lastTimestamp",
        "/series/lastObservedTime",
        "/deprecatedLastTimestamp",
    ];
    let owners = event.items("/metadata/managedFields").iter();
    let written = owners.map(|owner| owner.text("/time"));
    let told = TIMES.iter().map(|pointer| event.text(pointer));
    let latest = written.chain(told).filter_map(|time| time.parse().ok()).max()?;
    Some(timestamp::after_seconds(latest, TTL_SECONDS))
}

#[async_trait]
impl Reconciler for EventTtl {
    fn name(&self) -> &'static str {
        "event-ttl"
    }

    fn watches(&self) -> &'static [Resource] {
        &[EVENTS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if !change.deleted {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(event) = cx.cluster.get(&EVENTS, key) else {
            return Ok(Next::Wait);
        };
        let Some(expiry) = expiry(&event.to_value()) else {
            return Ok(Next::Wait);
        };
        if expiry > cx.now {
            return Ok(Next::After(timestamp::until(expiry, cx.now)));
        }
        let options = DeleteOptions {
            uid: Some(event.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        match cx.cluster.delete(&EVENTS, key, options).await {
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
    async fn an_event_goes_an_hour_after_it_was_last_seen() {
        let cluster = FakeCluster::new();
        cluster.put(
            &EVENTS,
            json!({"metadata": {"name": "e", "creationTimestamp": NOW}, "lastTimestamp": later(60)}),
        );
        let next = cluster.settle(&[&EventTtl], &later(3600)).await;
        assert_eq!(next, Next::After(Duration::from_secs(60)));
        cluster.settle(&[&EventTtl], &later(3660)).await;
        assert_eq!(cluster.values(&EVENTS).len(), 0);
    }
}
