//! `/metrics` and `/metrics/slis` of one cluster: its requests, its seats, its objects. What belongs to the process is
//! shown on the host only, so that no tenant reads another's load.

use std::sync::atomic::Ordering;

use http::{HeaderValue, Response, StatusCode};
use warren_telemetry::metrics::exposition::{CONTENT_TYPE, Exposition};
use warren_telemetry::metrics::process;

use crate::answer;
use crate::body::Body;
use crate::cx::Cx;
use crate::health;
use crate::webhook_metrics;

/// `/metrics`
pub(crate) fn metrics(cx: &Cx<'_>) -> Response<Body> {
    let mut page = Exposition::default();
    cx.cluster.metrics.write(&mut page);
    seats(cx, &mut page);
    if let Some(calls) = cx.cluster.access.guard().webhook_calls() {
        webhook_metrics::write(calls, &mut page);
    }
    objects(cx, &mut page);
    version(&mut page);
    if cx.cluster.shows_process_metrics {
        page.single(
            "apiserver_open_connections",
            "Connections that are open, of all clusters.",
            "gauge",
            cx.server.connections.load(Ordering::Relaxed),
        );
        process::write(&mut page);
    } else {
        process::start_time(&mut page);
    }
    answered(page)
}

/// `/metrics/slis`
pub(crate) fn health_checks(cx: &Cx<'_>) -> Response<Body> {
    let mut page = Exposition::default();
    let all = health::results(cx.cluster);
    let name = "kubernetes_healthcheck";
    page.family(
        name,
        "[STABLE] This metric records the result of a single healthcheck.",
        "gauge",
    );
    for check in &all {
        let labels = [("name", check.name), ("type", check.endpoint)];
        page.sample(name, &labels, u8::from(check.holds));
    }
    answered(page)
}

fn answered(page: Exposition) -> Response<Body> {
    let mut response = answer::with(StatusCode::OK, CONTENT_TYPE, Body::full(page.finish()));
    if let Ok(started) = HeaderValue::try_from(format!("{:.0}", process::started())) {
        response.headers_mut().insert("process-start-time-unix", started);
    }
    response
}

/// A family of fairness: its name, what it tells, its kind.
type Family = (&'static str, &'static str, &'static str);

const LEVELS: [Family; 4] = [
    (
        "apiserver_flowcontrol_nominal_limit_seats",
        "[BETA] Nominal number of execution seats configured for each priority level.",
        "gauge",
    ),
    (
        "apiserver_flowcontrol_current_executing_seats",
        "[BETA] Seats that are taken, by priority level.",
        "gauge",
    ),
    (
        "apiserver_flowcontrol_current_inqueue_requests",
        "[BETA] Requests that wait in queues, by priority level.",
        "gauge",
    ),
    (
        "apiserver_flowcontrol_dispatched_requests_total",
        "[BETA] Requests that got a seat, by priority level.",
        "counter",
    ),
];

fn seats(cx: &Cx<'_>, page: &mut Exposition) {
    let usage = cx.cluster.fairness.usage();
    for (at, (name, help, kind)) in LEVELS.into_iter().enumerate() {
        page.family(name, help, kind);
        for level in &usage {
            let numbers = [
                u64::from(level.nominal),
                u64::from(level.executing),
                u64::from(level.waiting),
                level.dispatched,
            ];
            let number = numbers.get(at).copied().unwrap_or_default();
            page.sample(name, &[("priority_level", &level.name)], number);
        }
    }
    let name = "apiserver_flowcontrol_rejected_requests_total";
    page.family(
        name,
        "[BETA] Requests that got no seat, by priority level and reason.",
        "counter",
    );
    for level in &usage {
        for (reason, count) in level.rejected.iter().filter(|(_, count)| *count > 0) {
            let labels = [("priority_level", level.name.as_str()), ("reason", *reason)];
            page.sample(name, &labels, count);
        }
    }
}

/// Custom resources are counted as one, as their number has no bound.
fn objects(cx: &Cx<'_>, page: &mut Exposition) {
    let (catalogue, snapshot) = (cx.registry().catalogue(), cx.registry().store().snapshot());
    let is_custom = |storage: &warren_apimachinery::GroupResource| {
        catalogue.custom().any(|custom| custom.storage == *storage)
    };
    let mut all: Vec<_> = catalogue
        .iter()
        .map(|definition| &definition.storage)
        .filter(|storage| snapshot.count(storage) > 0 && !is_custom(storage))
        .collect();
    all.sort_unstable_by_key(|storage| (storage.group.as_str(), storage.resource.as_str()));
    all.dedup();
    let custom: usize = catalogue
        .custom()
        .map(|custom| snapshot.count(&custom.storage))
        .sum();
    let name = "apiserver_resource_objects";
    page.family(name, "[ALPHA] Number of stored objects, by resource.", "gauge");
    for storage in &all {
        let labels = [
            ("group", storage.group.as_str()),
            ("resource", storage.resource.as_str()),
        ];
        page.sample(name, &labels, snapshot.count(storage));
    }
    if custom > 0 {
        page.sample(name, &[("group", ""), ("resource", "customresources")], custom);
    }
    let name = "apiserver_storage_objects";
    page.family(name, "[STABLE] Number of stored objects, by resource.", "gauge");
    for storage in &all {
        page.sample(
            name,
            &[("resource", &storage.to_string())],
            snapshot.count(storage),
        );
    }
    if custom > 0 {
        page.sample(name, &[("resource", "customresources")], custom);
    }
}

fn version(page: &mut Exposition) {
    let name = "version_info";
    page.family(name, "[ALPHA] The version whose behaviour is served.", "gauge");
    let binary = crate::nonresource::KUBERNETES_VERSION.trim_start_matches('v');
    let labels = [
        ("binary", binary),
        ("component", "kube"),
        ("emulation", "1.36"),
        ("min_compat", "1.35"),
    ];
    page.sample(name, &labels, 1);
}
