use std::time::Duration;

use warren_apimachinery::resource::{CRON_JOBS, JOBS};

use super::*;
use crate::fake::{FakeCluster, NOW, later};

const KEY: &str = "default/tick";

fn cron(spec: Value) -> Value {
    let mut value = json!({"metadata": {"name": "tick"}, "spec": {"schedule": "*/1 * * * *",
        "concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
        "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}}}});
    for (name, field) in spec.as_object().unwrap() {
        value["spec"][name] = field.clone();
    }
    value
}

fn finish(cluster: &FakeCluster, condition: &str, now: &str) {
    for name in cluster.names(&JOBS) {
        cluster.change(&JOBS, &format!("default/{name}"), |job| {
            job.set(
                "/status",
                json!({"startTime": now, "completionTime": now,
                "conditions": [{"type": condition, "status": "True"}]}),
            );
        });
    }
}

#[tokio::test]
async fn a_job_is_made_at_each_time_of_the_schedule() {
    let cluster = FakeCluster::new();
    cluster.put(&CRON_JOBS, cron(json!({})));
    assert_eq!(
        cluster.settle(&[&CronJobs], NOW).await,
        Next::After(Duration::from_secs(60))
    );
    assert!(cluster.values(&JOBS).is_empty());
    cluster.settle(&[&CronJobs], &later(61)).await;
    assert_eq!(cluster.names(&JOBS), ["tick-29453761"]);
    let job = cluster.value(&JOBS, "default/tick-29453761");
    assert_eq!(job.at("/metadata/annotations"), &json!({SCHEDULED_AT: later(60)}));
    assert_eq!(job.at("/metadata/labels"), &json!({"a": "b"}));
    let status = cluster.value(&CRON_JOBS, KEY).at("/status").clone();
    assert_eq!(status.text("/lastScheduleTime"), later(60));
    assert_eq!(status.items("/active").len(), 1);
    finish(&cluster, "Complete", &later(70));
    cluster.settle(&[&CronJobs], &later(70)).await;
    let status = cluster.value(&CRON_JOBS, KEY).at("/status").clone();
    assert_eq!(
        status,
        json!({"lastScheduleTime": later(60), "lastSuccessfulTime": later(70)})
    );
}

#[tokio::test]
async fn finished_jobs_are_kept_to_the_limit() {
    let cluster = FakeCluster::new();
    cluster.put(&CRON_JOBS, cron(json!({})));
    for minute in 1..4 {
        cluster.settle(&[&CronJobs], &later(minute * 60)).await;
        finish(&cluster, "Complete", &later(minute * 60 + 1));
    }
    cluster.settle(&[&CronJobs], &later(3 * 60 + 2)).await;
    assert_eq!(cluster.names(&JOBS), ["tick-29453763"]);
}

#[tokio::test]
async fn concurrency_is_forbidden_or_replaces() {
    for (policy, expect) in [("Allow", 2), ("Forbid", 1), ("Replace", 1)] {
        let cluster = FakeCluster::new();
        cluster.put(&CRON_JOBS, cron(json!({"concurrencyPolicy": policy})));
        cluster.settle(&[&CronJobs], &later(60)).await;
        let cx = cluster.context(&later(120));
        CronJobs
            .reconcile(&cx, &ObjectKey::namespaced("default", "tick"))
            .await
            .unwrap();
        assert_eq!(cluster.values(&JOBS).len(), expect, "{policy}");
        let first_stays = cluster.names(&JOBS).contains(&"tick-29453761".to_owned());
        assert_eq!(first_stays, policy != "Replace");
    }
}

#[tokio::test]
async fn a_suspended_or_unreadable_schedule_starts_nothing() {
    for spec in [
        json!({"suspend": true}),
        json!({"schedule": "x"}),
        json!({"timeZone": "Mars/Base"}),
    ] {
        let cluster = FakeCluster::new();
        cluster.put(&CRON_JOBS, cron(spec));
        let cx = cluster.context(&later(600));
        CronJobs
            .reconcile(&cx, &ObjectKey::namespaced("default", "tick"))
            .await
            .unwrap();
        assert!(cluster.values(&JOBS).is_empty());
    }
}
