use std::time::Duration;

use warren_apimachinery::resource::{JOBS, PODS};

use super::*;
use crate::fake::{FakeCluster, NOW, later};

const KEY: &str = "default/sum";

fn job(spec: Value) -> Value {
    let mut value = json!({"metadata": {"name": "sum", "uid": "job"}, "spec": {"parallelism": 1, "completions": 1,
        "backoffLimit": 6, "suspend": false, "completionMode": "NonIndexed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "job"}},
        "template": {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "job", JOB_NAME: "sum"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}}});
    for (name, field) in spec.as_object().unwrap() {
        value["spec"][name] = field.clone();
    }
    value
}

fn conditions(cluster: &FakeCluster) -> Vec<(String, String)> {
    let job = cluster.value(&JOBS, KEY);
    let conditions = job.items("/status/conditions").iter();
    conditions
        .map(|c| (c.text("/type").to_owned(), c.text("/reason").to_owned()))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

async fn step(cluster: &Arc<FakeCluster>, phase: &str, now: &str) -> Next {
    let _ = cluster.settle(&[&Jobs], now).await;
    cluster.run_pods(now);
    let _ = cluster.settle(&[&Jobs], now).await;
    cluster.finish_pods(phase, now);
    cluster.settle(&[&Jobs], now).await
}

#[tokio::test]
async fn a_job_completes_when_enough_pods_succeeded() {
    let cluster = FakeCluster::new();
    cluster.put(&JOBS, job(json!({"completions": 3, "parallelism": 2})));
    cluster.settle(&[&Jobs], NOW).await;
    assert_eq!(
        cluster.value(&JOBS, KEY).at("/status"),
        &json!({"startTime": NOW, "active": 2, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}})
    );
    assert_eq!(
        cluster.values(&PODS)[0].at("/metadata/finalizers"),
        &json!([TRACKING])
    );
    step(&cluster, "Succeeded", NOW).await;
    assert_eq!(cluster.value(&JOBS, KEY).int("/status/succeeded"), Some(2));
    step(&cluster, "Succeeded", &later(5)).await;
    let mut status = cluster.value(&JOBS, KEY).at("/status").clone();
    status.take_at("/conditions");
    assert_eq!(
        status,
        json!({"startTime": NOW, "completionTime": later(5), "succeeded": 3, "ready": 0, "terminating": 0,
            "uncountedTerminatedPods": {}})
    );
    let reached = "CompletionsReached";
    assert_eq!(
        conditions(&cluster),
        pairs(&[("SuccessCriteriaMet", reached), ("Complete", reached)])
    );
    assert!(
        cluster
            .values(&PODS)
            .iter()
            .all(|pod| pod.items("/metadata/finalizers").is_empty())
    );
    assert!(cluster.events().contains(&"Completed Job completed".to_owned()));
}

#[tokio::test]
async fn failures_back_off_and_end_at_the_limit() {
    let cluster = FakeCluster::new();
    cluster.put(&JOBS, job(json!({"backoffLimit": 1})));
    assert_eq!(
        step(&cluster, "Failed", NOW).await,
        Next::After(Duration::from_secs(10))
    );
    assert_eq!(cluster.values(&PODS).len(), 1);
    step(&cluster, "Failed", &later(10)).await;
    assert_eq!(cluster.values(&PODS).len(), 2);
    let exceeded = "BackoffLimitExceeded";
    assert_eq!(
        conditions(&cluster),
        pairs(&[("FailureTarget", exceeded), ("Failed", exceeded)])
    );
    assert_eq!(cluster.value(&JOBS, KEY).int("/status/failed"), Some(2));
    let event = "BackoffLimitExceeded Job has reached the specified backoff limit";
    assert!(cluster.events().contains(&event.to_owned()));
}

#[tokio::test]
async fn an_indexed_job_runs_every_index() {
    let cluster = FakeCluster::new();
    cluster.put(
        &JOBS,
        job(json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"})),
    );
    cluster.settle(&[&Jobs], NOW).await;
    let pods = cluster.values(&PODS);
    let mut indexes: Vec<_> = pods.iter().map(|pod| pod.text("/spec/hostname")).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, ["sum-0", "sum-1", "sum-2"]);
    assert_eq!(
        pods[0].text("/spec/containers/0/env/0/name"),
        "JOB_COMPLETION_INDEX"
    );
    step(&cluster, "Succeeded", NOW).await;
    let status = cluster.value(&JOBS, KEY).at("/status").clone();
    assert_eq!(status.text("/completedIndexes"), "0-2");
    assert_eq!(status.int("/succeeded"), Some(3));
    assert_eq!(conditions(&cluster).len(), 2);
}

#[tokio::test]
async fn a_deadline_ends_the_job_and_its_pods() {
    let cluster = FakeCluster::new();
    cluster.put(&JOBS, job(json!({"activeDeadlineSeconds": 30})));
    cluster.settle(&[&Jobs], NOW).await;
    cluster.run_pods(NOW);
    assert_eq!(
        cluster.settle(&[&Jobs], NOW).await,
        Next::After(Duration::from_secs(30))
    );
    cluster.settle(&[&Jobs], &later(30)).await;
    let exceeded = "DeadlineExceeded";
    assert_eq!(
        conditions(&cluster),
        pairs(&[("FailureTarget", exceeded), ("Failed", exceeded)])
    );
    assert!(cluster.values(&PODS).is_empty());
}

#[tokio::test]
async fn suspension_takes_the_pods_away_without_counting_them() {
    let cluster = FakeCluster::new();
    cluster.put(&JOBS, job(json!({})));
    cluster.settle(&[&Jobs], NOW).await;
    cluster.run_pods(NOW);
    cluster.change(&JOBS, KEY, |job| job.set("/spec/suspend", true));
    cluster.settle(&[&Jobs], NOW).await;
    assert!(cluster.values(&PODS).is_empty());
    assert_eq!(conditions(&cluster), pairs(&[("Suspended", "JobSuspended")]));
    assert_eq!(cluster.value(&JOBS, KEY).int("/status/failed"), None);
    cluster.change(&JOBS, KEY, |job| job.set("/spec/suspend", false));
    cluster.settle(&[&Jobs], &later(60)).await;
    assert_eq!(conditions(&cluster), pairs(&[("Suspended", "JobResumed")]));
    assert_eq!(cluster.value(&JOBS, KEY).text("/status/startTime"), later(60));
    assert_eq!(cluster.values(&PODS).len(), 1);
}

#[tokio::test]
async fn pods_of_a_job_that_is_gone_lose_their_finalizer() {
    let cluster = FakeCluster::new();
    cluster.put(&JOBS, job(json!({})));
    cluster.settle(&[&Jobs], NOW).await;
    cluster.remove(&JOBS, KEY);
    cluster.settle(&[&Jobs], NOW).await;
    assert!(cluster.values(&PODS)[0].items("/metadata/finalizers").is_empty());
}

fn indexes_with_limit(more: Value) -> Value {
    let mut spec = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed",
        "backoffLimit": i32::MAX, "backoffLimitPerIndex": 1});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    job(spec)
}

/// Ends the running pod of an index.
fn end(cluster: &FakeCluster, index: i64, exit_code: i32, now: &str) {
    let path = "/metadata/annotations/batch.kubernetes.io~1job-completion-index";
    let pods = cluster.values(&PODS);
    let running =
        |pod: &&Value| pod.text("/status/phase") == "Running" && pod.text(path) == index.to_string();
    let name = pods
        .iter()
        .find(running)
        .unwrap()
        .text("/metadata/name")
        .to_owned();
    cluster.change(&PODS, &format!("default/{name}"), |pod| {
        pod.set(
            "/status/phase",
            if exit_code == 0 { "Succeeded" } else { "Failed" },
        );
        pod.set(
            "/status/containerStatuses",
            json!([{"name": "c", "state": {"terminated": {"exitCode": exit_code, "finishedAt": now}}}]),
        );
    });
}

/// The counts that the pods of an index carry, oldest first.
fn counts(cluster: &FakeCluster, index: i64) -> Vec<String> {
    let pods = cluster.values(&PODS);
    let of_index = pods.iter().filter(|pod| {
        pod.text("/metadata/annotations/batch.kubernetes.io~1job-completion-index") == index.to_string()
    });
    let count = "/metadata/annotations/batch.kubernetes.io~1job-index-failure-count";
    let mut all: Vec<String> = of_index.map(|pod| pod.text(count).to_owned()).collect();
    all.sort();
    all
}

#[tokio::test]
async fn each_index_has_a_limit_of_its_own() {
    let cluster = FakeCluster::new();
    cluster.put(&JOBS, indexes_with_limit(json!({})));
    cluster.settle(&[&Jobs], NOW).await;
    cluster.run_pods(NOW);
    end(&cluster, 0, 1, NOW);
    end(&cluster, 1, 0, NOW);
    assert_eq!(
        cluster.settle(&[&Jobs], NOW).await,
        Next::After(Duration::from_secs(10))
    );
    assert_eq!(
        counts(&cluster, 0),
        ["0"],
        "the failed pod stays to tell its count"
    );
    cluster.settle(&[&Jobs], &later(10)).await;
    assert_eq!(counts(&cluster, 0), ["0", "1"]);
    cluster.run_pods(&later(10));
    end(&cluster, 0, 1, &later(11));
    cluster.settle(&[&Jobs], &later(11)).await;
    let status = cluster.value(&JOBS, KEY).at("/status").clone();
    assert_eq!(
        (status.text("/completedIndexes"), status.text("/failedIndexes")),
        ("1", "0")
    );
    assert_eq!(
        (status.int("/failed"), status.int("/succeeded")),
        (Some(2), Some(1))
    );
    assert_eq!(
        conditions(&cluster),
        pairs(&[("FailureTarget", "FailedIndexes"), ("Failed", "FailedIndexes")])
    );
    let tracked = |pod: &Value| !pod.items("/metadata/finalizers").is_empty();
    assert!(!cluster.values(&PODS).iter().any(tracked));
}

#[tokio::test]
async fn an_index_that_its_policy_fails_is_not_tried_again() {
    let cluster = FakeCluster::new();
    let rules = json!([
        {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [7]}},
    ]);
    cluster.put(
        &JOBS,
        indexes_with_limit(json!({"podFailurePolicy": {"rules": rules}, "podReplacementPolicy": "Failed"})),
    );
    cluster.settle(&[&Jobs], NOW).await;
    cluster.run_pods(NOW);
    end(&cluster, 0, 42, NOW);
    end(&cluster, 1, 7, NOW);
    cluster.settle(&[&Jobs], NOW).await;
    assert_eq!(cluster.value(&JOBS, KEY).text("/status/failedIndexes"), "0");
    cluster.settle(&[&Jobs], &later(10)).await;
    assert_eq!(
        (counts(&cluster, 0), counts(&cluster, 1)),
        (vec!["0".to_owned()], vec!["0".to_owned(); 2])
    );
    cluster.run_pods(&later(10));
    end(&cluster, 1, 0, &later(12));
    cluster.settle(&[&Jobs], &later(12)).await;
    assert_eq!(cluster.value(&JOBS, KEY).int("/status/failed"), Some(1));
    assert_eq!(conditions(&cluster).last().unwrap().1, "FailedIndexes");
}

#[tokio::test]
async fn too_many_failed_indexes_end_the_job() {
    let cluster = FakeCluster::new();
    cluster.put(
        &JOBS,
        indexes_with_limit(json!({"backoffLimitPerIndex": 0, "maxFailedIndexes": 0})),
    );
    cluster.settle(&[&Jobs], NOW).await;
    cluster.run_pods(NOW);
    end(&cluster, 1, 1, NOW);
    cluster.settle(&[&Jobs], NOW).await;
    let exceeded = "MaxFailedIndexesExceeded";
    assert_eq!(conditions(&cluster).first().unwrap().1, exceeded);
    assert_eq!(cluster.value(&JOBS, KEY).text("/status/failedIndexes"), "1");
}
