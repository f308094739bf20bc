//! A job's row in `kubectl get jobs`.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;

use crate::table::{age, containers_and_images, name, selector_text, timestamp};

/// The cells, one per column.
pub(super) fn cells(job: &Value, now: Timestamp) -> Vec<Value> {
    let (containers, images) = containers_and_images(job.at("/spec/template/spec"));
    vec![
        name(job),
        status(job).into(),
        completions(job).into(),
        duration(job, now).into(),
        age(job, now),
        containers.into(),
        images.into(),
        selector_text(job.at("/spec/selector")).into(),
    ]
}

fn status(job: &Value) -> &'static str {
    let is_true = |kind: &str| {
        job.items("/status/conditions")
            .iter()
            .any(|condition| condition.text("/type") == kind && condition.text("/status") == "True")
    };
    match () {
        () if is_true("Complete") => "Complete",
        () if is_true("Failed") => "Failed",
        () if !job.at("/metadata/deletionTimestamp").is_null() => "Terminating",
        () if is_true("Suspended") => "Suspended",
        () if is_true("FailureTarget") => "FailureTarget",
        () if is_true("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(job: &Value) -> String {
    let succeeded = job.int("/status/succeeded").unwrap_or_default();
    match (job.int("/spec/completions"), job.int("/spec/parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, Some(parallelism)) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(job: &Value, now: Timestamp) -> String {
    let Some(start) = timestamp(job.at("/status/startTime")) else {
        return String::new();
    };
    let end = timestamp(job.at("/status/completionTime")).unwrap_or(now);
    time::age(start, end)
}
