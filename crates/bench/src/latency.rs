//! Latencies of many requests, and what is told of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Latencies in microseconds, up to a minute, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

const LONGEST: u64 = 60_000_000;

impl Latencies {
    /// None yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST, 3)?))
    }

    /// One more.
    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        self.0.saturating_record(micros.max(1));
    }

    /// Those of another client, too.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that a part of all stays below, in milliseconds.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        millis(self.0.value_at_quantile(part))
    }

    /// The longest, in milliseconds.
    pub(crate) fn longest(&self) -> f64 {
        millis(self.0.max())
    }

    /// For other programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({"p50Ms": self.quantile(0.5), "p99Ms": self.quantile(0.99), "maxMs": self.longest()})
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::new().unwrap();
        for millis in 1..=100 {
            latencies.record(Duration::from_millis(millis));
        }
        assert_eq!(latencies.count(), 100);
        assert!((latencies.quantile(0.5) - 50.0).abs() < 0.1);
        assert!((latencies.quantile(0.99) - 99.0).abs() < 0.1);
    }
}
