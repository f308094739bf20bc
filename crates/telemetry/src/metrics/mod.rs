//! The metrics of an API server, under upstream's names. One set per cluster, empty until the first request; a request
//! costs one short lock and one look-up.
//!
//! Labels are bounded: resources that are not built in count as one, and beyond `MOST_SERIES` everything does.

pub mod exposition;
mod histogram;
pub mod process;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smol_str::SmolStr;

use self::exposition::Exposition;
use self::histogram::Histogram;

/// How many different requests are told apart.
const MOST_SERIES: usize = 1_000;

/// Upstream's bounds, in seconds.
const DURATIONS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
];
/// Upstream's bounds, in bytes.
const SIZES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// What was asked for, as labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestLabels {
    /// Upstream's verbs in capitals: `GET`, `LIST`, `WATCH`, `POST`, …
    pub verb: &'static str,
    /// The API group.
    pub group: SmolStr,
    /// The version.
    pub version: SmolStr,
    /// The plural resource.
    pub resource: SmolStr,
    /// Such as `status`.
    pub subresource: SmolStr,
    /// `resource`, `namespace`, `cluster` or empty.
    pub scope: &'static str,
    /// `All` for a rehearsal, else empty.
    pub dry_run: &'static str,
}

#[derive(Default)]
struct Series {
    codes: Vec<(u16, u64)>,
    durations: Histogram<23>,
    sizes: Histogram<7>,
}

type Counts<K> = Mutex<HashMap<K, Arc<AtomicI64>>>;

/// Counts the requests of one cluster.
#[derive(Default)]
pub struct ApiMetrics {
    requests: Mutex<HashMap<RequestLabels, Series>>,
    longrunning: Counts<RequestLabels>,
    watch_events: Counts<[SmolStr; 3]>,
    reading: AtomicI64,
    mutating: AtomicI64,
    /// Who was let in, by upstream's results.
    pub authentication: Outcomes,
    /// Who was allowed what they asked.
    pub authorization: Outcomes,
    /// Audit events that were written.
    pub audit_events: AtomicU64,
    /// Audit events that could not be written.
    pub audit_failures: AtomicU64,
    /// Requests that took too long.
    pub timeouts: AtomicU64,
}

/// Good and bad ends of a step.
#[derive(Default)]
pub struct Outcomes {
    good: AtomicU64,
    bad: AtomicU64,
}

impl Outcomes {
    /// One more end.
    pub fn count(&self, is_good: bool) {
        let counter = if is_good { &self.good } else { &self.bad };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn write(&self, page: &mut Exposition, name: &str, [good, bad]: [&str; 2]) {
        for (result, counter) in [(good, &self.good), (bad, &self.bad)] {
            let count = counter.load(Ordering::Relaxed);
            if count > 0 {
                page.sample(name, &[("result", result)], count);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ApiMetrics {
    /// A request was answered. `size` is the answer's, where it is known.
    pub fn answered(&self, labels: RequestLabels, code: u16, took: Duration, size: Option<u64>) {
        let mut requests = lock(&self.requests);
        let labels = match requests.len() < MOST_SERIES || requests.contains_key(&labels) {
            true => labels,
            false => RequestLabels {
                verb: labels.verb,
                resource: "other".into(),
                ..RequestLabels::default()
            },
        };
        let is_watch = labels.verb == "WATCH";
        let series = requests.entry(labels).or_default();
        match series.codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => series.codes.push((code, 1)),
        }
        if !is_watch {
            series.durations.observe(&DURATIONS, took.as_secs_f64());
        }
        if let Some(size) = size {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a size in a histogram of powers of ten"
            )]
            series.sizes.observe(&SIZES, size as f64);
        }
    }

    /// A short request is under way until the guard is dropped.
    pub fn inflight(&self, is_mutating: bool) -> Inflight<'_> {
        Inflight::start(if is_mutating {
            &self.mutating
        } else {
            &self.reading
        })
    }

    /// A watch or stream is open until the guard is dropped.
    pub fn longrunning(&self, labels: &RequestLabels) -> Running {
        Running::start(counter(&self.longrunning, labels))
    }

    /// What counts the events that watches of a resource (group, version, plural) get.
    pub fn watch_events(&self, resource: &[SmolStr; 3]) -> Arc<AtomicI64> {
        counter(&self.watch_events, resource)
    }

    /// Adds all of them to a page.
    pub fn write(&self, page: &mut Exposition) {
        self.write_requests(page);
        page.family(
            "apiserver_current_inflight_requests",
            "[STABLE] Requests that are being answered, by kind.",
            "gauge",
        );
        for (kind, gauge) in [("mutating", &self.mutating), ("readOnly", &self.reading)] {
            let count = gauge.load(Ordering::Relaxed);
            page.sample(
                "apiserver_current_inflight_requests",
                &[("request_kind", kind)],
                count,
            );
        }
        page.family(
            "apiserver_watch_events_total",
            "[ALPHA] Number of events sent to watching clients.",
            "counter",
        );
        for ([group, version, resource], count) in sorted(&lock(&self.watch_events)) {
            let labels = [
                ("group", group.as_str()),
                ("resource", resource.as_str()),
                ("version", version.as_str()),
            ];
            page.sample(
                "apiserver_watch_events_total",
                &labels,
                count.load(Ordering::Relaxed),
            );
        }
        self.write_steps(page);
    }

    fn write_requests(&self, page: &mut Exposition) {
        let requests = lock(&self.requests);
        let all = sorted(&requests);
        let name = "apiserver_request_total";
        page.family(
            name,
            "[STABLE] Counter of requests, by what was asked for and the code of the answer.",
            "counter",
        );
        for (labels, series) in &all {
            for (code, count) in &series.codes {
                let code = code.to_string();
                let mut with_code = vec![("code", code.as_str())];
                with_code.extend(pairs(labels, true));
                page.sample(name, &with_code, count);
            }
        }
        let name = "apiserver_request_duration_seconds";
        page.family(name, "[STABLE] Seconds until the answer began.", "histogram");
        for (labels, series) in all.iter().filter(|(_, series)| !series.durations.is_empty()) {
            series
                .durations
                .write(page, name, &DURATIONS, &pairs(labels, true));
        }
        let name = "apiserver_response_sizes";
        page.family(name, "[STABLE] Bytes of the answers.", "histogram");
        for (labels, series) in all.iter().filter(|(_, series)| !series.sizes.is_empty()) {
            series.sizes.write(page, name, &SIZES, &pairs(labels, false));
        }
        let name = "apiserver_longrunning_requests";
        page.family(name, "[STABLE] Watches and streams that are open.", "gauge");
        for (labels, count) in sorted(&lock(&self.longrunning)) {
            page.sample(name, &pairs(labels, false), count.load(Ordering::Relaxed));
        }
    }

    fn write_steps(&self, page: &mut Exposition) {
        let name = "authentication_attempts";
        page.family(name, "[ALPHA] Counter of authenticated attempts.", "counter");
        self.authentication.write(page, name, ["success", "failure"]);
        // Names would make series without end.
        let name = "authenticated_user_requests";
        page.family(name, "[ALPHA] Counter of authenticated requests.", "counter");
        let count = self.authentication.good.load(Ordering::Relaxed);
        page.sample(name, &[("username", "other")], count);
        let name = "authorization_attempts_total";
        page.family(
            name,
            "[ALPHA] Counter of authorization attempts, by their result.",
            "counter",
        );
        self.authorization.write(page, name, ["allowed", "no-opinion"]);
        for (name, help, counter) in [
            (
                "apiserver_audit_event_total",
                "[ALPHA] Counter of audit events that were written.",
                &self.audit_events,
            ),
            (
                "apiserver_audit_requests_rejected_total",
                "[ALPHA] Counter of audit events that could not be written.",
                &self.audit_failures,
            ),
            (
                "apiserver_request_terminations_total",
                "[ALPHA] Number of requests that were ended because they took too long.",
                &self.timeouts,
            ),
        ] {
            page.single(name, help, "counter", counter.load(Ordering::Relaxed));
        }
    }
}

/// Labels in upstream's order.
fn pairs(labels: &RequestLabels, with_dry_run: bool) -> Vec<(&str, &str)> {
    let mut pairs = vec![("component", "apiserver")];
    if with_dry_run {
        pairs.push(("dry_run", labels.dry_run));
    }
    pairs.extend([
        ("group", labels.group.as_str()),
        ("resource", labels.resource.as_str()),
        ("scope", labels.scope),
        ("subresource", labels.subresource.as_str()),
        ("verb", labels.verb),
        ("version", labels.version.as_str()),
    ]);
    pairs
}

/// In a stable order, so that two pages can be compared.
fn sorted<K: std::fmt::Debug, V>(map: &HashMap<K, V>) -> Vec<(&K, &V)> {
    let mut all: Vec<(&K, &V)> = map.iter().collect();
    all.sort_by_cached_key(|(key, _)| format!("{key:?}"));
    all
}

/// The counter of a key; one for all keys beyond the bound.
fn counter<K: Clone + Eq + std::hash::Hash + Default>(counts: &Counts<K>, key: &K) -> Arc<AtomicI64> {
    let mut counts = lock(counts);
    if let Some(known) = counts.get(key) {
        return Arc::clone(known);
    }
    let key = if counts.len() < MOST_SERIES {
        key.clone()
    } else {
        K::default()
    };
    Arc::clone(counts.entry(key).or_default())
}

/// A short request under way; counted until dropped.
pub struct Inflight<'a>(&'a AtomicI64);

impl<'a> Inflight<'a> {
    fn start(gauge: &'a AtomicI64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Inflight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Something that goes on; counted until dropped.
pub struct Running(Arc<AtomicI64>);

impl Running {
    /// Counts one more in `gauge`.
    pub fn start(gauge: Arc<AtomicI64>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(verb: &'static str, resource: &str) -> RequestLabels {
        RequestLabels {
            verb,
            version: "v1".into(),
            resource: resource.into(),
            scope: "namespace",
            ..RequestLabels::default()
        }
    }

    fn page(metrics: &ApiMetrics) -> String {
        let mut page = Exposition::default();
        metrics.write(&mut page);
        page.finish()
    }

    #[test]
    fn requests_are_counted_under_upstreams_names() {
        let metrics = ApiMetrics::default();
        let watching = metrics.longrunning(&labels("WATCH", "pods"));
        metrics.answered(labels("LIST", "pods"), 200, Duration::from_millis(2), Some(2_000));
        metrics
            .watch_events(&["".into(), "v1".into(), "pods".into()])
            .fetch_add(3, Ordering::Relaxed);
        metrics.authentication.count(true);
        let text = page(&metrics);
        for line in [
            r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1"} 1"#,
            r#"apiserver_request_duration_seconds_bucket{component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1",le="0.005"} 1"#,
            r#"apiserver_response_sizes_bucket{component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1",le="10000"} 1"#,
            r#"apiserver_longrunning_requests{component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="WATCH",version="v1"} 1"#,
            r#"apiserver_watch_events_total{group="",resource="pods",version="v1"} 3"#,
            r#"authentication_attempts{result="success"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        drop(watching);
        assert!(page(&metrics).contains(r#"verb="WATCH",version="v1"} 0"#));
    }

    #[test]
    fn no_client_grows_series_without_end() {
        let metrics = ApiMetrics::default();
        for at in 0..MOST_SERIES * 2 {
            metrics.answered(labels("GET", &format!("r{at}")), 200, Duration::ZERO, None);
        }
        assert!(lock(&metrics.requests).len() <= MOST_SERIES + 1);
    }
}
