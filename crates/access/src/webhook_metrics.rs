//! What is counted of a cluster's calls of webhooks, for `/metrics`: upstream's `apiserver_admission_webhook_*`.
//!
//! Nothing is kept for a cluster that calls none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper ends of the buckets of durations, in seconds.
pub const BUCKETS: [f64; 6] = [0.005, 0.025, 0.1, 0.5, 1.0, 2.5];
/// So many different rows are kept; calls beyond are not told apart and not counted.
const ROWS: usize = 1000;

/// One call of a webhook.
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    /// `admit` or `validating`.
    pub(crate) side: &'static str,
    pub(crate) operation: &'static str,
    /// Of the answer; 0 where the failure is not its.
    pub(crate) code: u16,
    /// Why the write was refused; `None` where it was not.
    pub(crate) rejection: Option<&'static str>,
    pub(crate) failed_open: bool,
    pub(crate) took: Duration,
}

/// The calls that are told together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebhookRow {
    /// The webhook.
    pub name: String,
    /// `admit` or `validating`.
    pub side: &'static str,
    /// Such as `CREATE`.
    pub operation: &'static str,
    /// Of the answer.
    pub code: u16,
    /// Why writes were refused; `None` where they were not.
    pub rejection: Option<&'static str>,
}

/// How many calls there were, and how long they took.
#[derive(Clone, Debug, Default)]
pub struct WebhookCalls {
    /// How many.
    pub count: u64,
    /// How many were passed over because the webhook fails open.
    pub failed_open: u64,
    /// All their time, in seconds.
    pub seconds: f64,
    /// How many took no longer than each of [`BUCKETS`].
    pub buckets: [u64; BUCKETS.len()],
}

/// See the module. At most `ROWS` rows.
#[derive(Debug, Default)]
pub struct WebhookMetrics {
    rows: Mutex<BTreeMap<WebhookRow, WebhookCalls>>,
}

impl WebhookMetrics {
    /// All rows, in order.
    pub fn rows(&self) -> BTreeMap<WebhookRow, WebhookCalls> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, call: &Call<'_>) {
        let row = WebhookRow {
            name: call.name.to_owned(),
            side: call.side,
            operation: call.operation,
            code: call.code,
            rejection: call.rejection,
        };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= ROWS && !rows.contains_key(&row) {
            return;
        }
        let calls = rows.entry(row).or_default();
        let seconds = call.took.as_secs_f64();
        calls.count += 1;
        calls.failed_open += u64::from(call.failed_open);
        calls.seconds += seconds;
        for (bucket, end) in calls.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= end);
        }
    }
}
