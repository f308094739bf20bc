//! The event recorder on the fake cluster: its tests. The recorder itself is `reconciler`'s.

use serde_json::json;
use warren_apimachinery::resource::{EVENTS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_reconciler::event::Recorder;

use crate::fake::FakeCluster;

#[tokio::test]
async fn a_repeated_event_counts_up_and_then_rests() {
    let cluster = FakeCluster::new();
    let pod = cluster.put(&PODS, json!({"metadata": {"name": "p", "namespace": "n"}}));
    let cx = cluster.context("2026-01-01T00:00:00Z");
    let recorder = Recorder {
        component: "job-controller",
    };
    for _ in 0..40 {
        recorder
            .about(&cx, &PODS, &pod)
            .normal("Started", "it started")
            .await;
    }
    let events = cluster.values(&EVENTS);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].int("/count"), Some(25));
    assert_eq!(events[0].text("/source/component"), "job-controller");
    assert_eq!(events[0].text("/involvedObject/uid"), pod.meta().uid);
    let later = cluster.context("2026-01-01T00:06:00Z");
    recorder
        .about(&later, &PODS, &pod)
        .normal("Started", "it started")
        .await;
    assert_eq!(cluster.values(&EVENTS)[0].int("/count"), Some(26));
}
