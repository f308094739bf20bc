//! What `/metrics` tells of a cluster's calls of webhooks. Nothing where it called none.

use warren_access::{WEBHOOK_BUCKETS, WebhookCalls, WebhookMetrics, WebhookRow};
use warren_telemetry::metrics::exposition::Exposition;

/// Codes above are told as this one, so that their number has a bound.
const HIGHEST_CODE: u16 = 600;

type Rows<'a> = [(&'a WebhookRow, &'a WebhookCalls)];

/// Upstream's `apiserver_admission_webhook_*`.
pub(crate) fn write(metrics: &WebhookMetrics, page: &mut Exposition) {
    let rows = metrics.rows();
    let rows: Vec<_> = rows.iter().collect();
    durations(&rows, page);
    let fail_open = "apiserver_admission_webhook_fail_open_count";
    page.family(
        fail_open,
        "[ALPHA] Admission webhook fail open count, identified by name and broken out for each admission type (validating or mutating).",
        "counter",
    );
    for (row, calls) in rows.iter().filter(|(_, calls)| calls.failed_open > 0) {
        page.sample(
            fail_open,
            &[("name", &row.name), ("type", row.side)],
            calls.failed_open,
        );
    }
    rejections(&rows, page);
    let total = "apiserver_admission_webhook_request_total";
    page.family(
        total,
        "[ALPHA] Admission webhook request total, identified by name and broken out for each admission type (validating or mutating) and operation.",
        "counter",
    );
    for (row, calls) in &rows {
        let code = code(row);
        let labels = [
            ("code", code.as_str()),
            ("name", &row.name),
            ("operation", row.operation),
            ("rejected", rejected(row)),
            ("type", row.side),
        ];
        page.sample(total, &labels, calls.count);
    }
}

fn durations(rows: &Rows<'_>, page: &mut Exposition) {
    let name = "apiserver_admission_webhook_admission_duration_seconds";
    page.family(
        name,
        "[STABLE] Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).",
        "histogram",
    );
    // Codes are not told apart here.
    let mut told: Vec<(&WebhookRow, WebhookCalls)> = Vec::new();
    for (row, calls) in rows {
        let same = |(other, _): &&mut (&WebhookRow, WebhookCalls)| {
            (&other.name, other.side, other.operation, rejected(other))
                == (&row.name, row.side, row.operation, rejected(row))
        };
        match told.iter_mut().find(same) {
            Some((_, sum)) => {
                sum.count += calls.count;
                sum.seconds += calls.seconds;
                for (sum, own) in sum.buckets.iter_mut().zip(calls.buckets) {
                    *sum += own;
                }
            }
            None => told.push((row, (*calls).clone())),
        }
    }
    for (row, calls) in &told {
        let labels = [
            ("name", row.name.as_str()),
            ("operation", row.operation),
            ("rejected", rejected(row)),
            ("type", row.side),
        ];
        let ends = WEBHOOK_BUCKETS.iter().map(f64::to_string);
        let buckets = ends.zip(calls.buckets);
        for (end, count) in buckets.chain([("+Inf".to_owned(), calls.count)]) {
            let mut labels = labels.to_vec();
            labels.push(("le", &end));
            page.sample(&format!("{name}_bucket"), &labels, count);
        }
        page.sample(&format!("{name}_sum"), &labels, calls.seconds);
        page.sample(&format!("{name}_count"), &labels, calls.count);
    }
}

fn rejections(rows: &Rows<'_>, page: &mut Exposition) {
    let name = "apiserver_admission_webhook_rejection_count";
    page.family(
        name,
        "[ALPHA] Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation.",
        "counter",
    );
    for (row, calls) in rows {
        let Some(error) = row.rejection else { continue };
        let code = code(row);
        let labels = [
            ("error_type", error),
            ("name", &row.name),
            ("operation", row.operation),
            ("rejection_code", &code),
            ("type", row.side),
        ];
        page.sample(name, &labels, calls.count);
    }
}

fn code(row: &WebhookRow) -> String {
    row.code.min(HIGHEST_CODE).to_string()
}

const fn rejected(row: &WebhookRow) -> &'static str {
    if row.rejection.is_some() { "true" } else { "false" }
}
