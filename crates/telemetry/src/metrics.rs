//! The metrics of the API server, under upstream's names. Labels are bounded: resources that are not built in count as
//! one, so that no tenant can grow a series of its own.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What was asked for, as labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// Upstream's verbs in capitals: `GET`, `LIST`, `WATCH`, `CREATE`, …
    pub verb: &'static str,
    /// The API group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural resource.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// `resource`, `namespace`, `cluster` or empty.
    pub scope: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TotalLabels {
    verb: &'static str,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: &'static str,
    component: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InflightLabels {
    request_kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerbLabels {
    verb: &'static str,
}

const BUCKETS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 60.0,
];

/// Counts requests; one for all clusters of a process.
pub struct ApiMetrics {
    registry: Registry,
    total: Family<TotalLabels, Counter>,
    duration: Family<VerbLabels, Histogram, fn() -> Histogram>,
    inflight: Family<InflightLabels, Gauge>,
    longrunning: Family<VerbLabels, Gauge>,
    connections: Gauge,
    dropped: Counter<u64, AtomicU64>,
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiMetrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let total = Family::default();
        let duration = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let inflight = Family::default();
        let longrunning = Family::default();
        let connections = Gauge::default();
        let dropped = Counter::default();
        let api = registry.sub_registry_with_prefix("apiserver");
        api.register(
            "request",
            "Requests, by what was asked for and how it was answered",
            Family::clone(&total),
        );
        api.register(
            "request_duration_seconds",
            "Time until the answer began",
            Family::clone(&duration),
        );
        api.register(
            "current_inflight_requests",
            "Requests that are being answered",
            Family::clone(&inflight),
        );
        api.register(
            "longrunning_requests",
            "Watches and streams that are open",
            Family::clone(&longrunning),
        );
        api.register(
            "open_connections",
            "Connections that are open",
            Gauge::clone(&connections),
        );
        api.register(
            "dropped_requests",
            "Requests refused with 429",
            Counter::clone(&dropped),
        );
        Self {
            registry,
            total,
            duration,
            inflight,
            longrunning,
            connections,
            dropped,
        }
    }

    /// A request was answered.
    pub fn answered(&self, labels: RequestLabels, code: u16, took: Duration) {
        let verb = labels.verb;
        self.total
            .get_or_create(&TotalLabels {
                verb,
                group: labels.group,
                version: labels.version,
                resource: labels.resource,
                subresource: labels.subresource,
                scope: labels.scope,
                component: "apiserver",
                code,
            })
            .inc();
        self.duration
            .get_or_create(&VerbLabels { verb })
            .observe(took.as_secs_f64());
        if code == 429 {
            self.dropped.inc();
        }
    }

    /// A short request is under way until the guard is dropped.
    pub fn inflight(&self, mutating: bool) -> Running {
        let request_kind = if mutating { "mutating" } else { "readOnly" };
        Running::start(
            self.inflight
                .get_or_create_owned(&InflightLabels { request_kind }),
        )
    }

    /// A watch or stream is open until the guard is dropped.
    pub fn longrunning(&self, verb: &'static str) -> Running {
        Running::start(self.longrunning.get_or_create_owned(&VerbLabels { verb }))
    }

    /// A connection is open until the guard is dropped.
    pub fn connection(&self) -> Running {
        Running::start(self.connections.clone())
    }

    /// All of them in the text format of Prometheus.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Something that goes on; counted until dropped.
pub struct Running(Gauge);

impl Running {
    fn start(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_upstreams_names() {
        let metrics = ApiMetrics::new();
        let labels = RequestLabels {
            verb: "LIST",
            version: "v1".to_owned(),
            resource: "pods".to_owned(),
            scope: "namespace",
            ..RequestLabels::default()
        };
        let watching = metrics.longrunning("WATCH");
        metrics.answered(labels, 200, Duration::from_millis(2));
        let text = metrics.render();
        assert!(text.contains(r#"apiserver_request_total{verb="LIST",group="",version="v1",resource="pods",subresource="",scope="namespace",component="apiserver",code="200"} 1"#), "{text}");
        assert!(
            text.contains("apiserver_request_duration_seconds_bucket"),
            "{text}"
        );
        assert!(
            text.contains(r#"apiserver_longrunning_requests{verb="WATCH"} 1"#),
            "{text}"
        );
        drop(watching);
        assert!(
            metrics
                .render()
                .contains(r#"apiserver_longrunning_requests{verb="WATCH"} 0"#)
        );
    }
}
