//! The results, as a table or as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::load::Measured;
use crate::output::{Output, say};

/// What was measured so far.
pub(crate) struct Report {
    facts: Value,
    verbs: Vec<(&'static str, Measured)>,
}

impl Report {
    /// Begins with what was asked for.
    pub(crate) fn new(facts: Value) -> Self {
        Self {
            facts,
            verbs: Vec::new(),
        }
    }

    /// Adds the result of a verb.
    pub(crate) fn verb(&mut self, name: &'static str, measured: Measured) {
        self.verbs.push((name, measured));
    }

    /// Adds a fact about the run.
    pub(crate) fn fact(&mut self, name: &str, value: Value) {
        if let Some(facts) = self.facts.as_object_mut() {
            facts.insert(name.to_owned(), value);
        }
    }

    /// Prints it.
    pub(crate) fn print(&self, output: Output) -> anyhow::Result<()> {
        match output {
            Output::Text => say(self.text().trim_end()),
            Output::Json => say(&serde_json::to_string_pretty(&self.to_json())?),
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.facts.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "{name:<28} {value}");
        }
        let _ = writeln!(
            text,
            "\n{:<28} {:>10} {:>10} {:>10} {:>10} {:>10} {:>9}",
            "VERB", "REQUESTS", "PER SEC", "P50 MS", "P99 MS", "MAX MS", "FAILURES"
        );
        for (name, measured) in &self.verbs {
            let latencies = &measured.latencies;
            let _ = writeln!(
                text,
                "{name:<28} {:>10} {:>10.0} {:>10.2} {:>10.2} {:>10.2} {:>9}",
                latencies.count(),
                rate(measured),
                latencies.quantile(0.5),
                latencies.quantile(0.99),
                latencies.longest(),
                measured.failures
            );
        }
        for (name, measured) in &self.verbs {
            if let Some(failure) = &measured.failure {
                let _ = writeln!(text, "{name} failed first with: {failure}");
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        let verbs = self.verbs.iter().map(|(name, measured)| {
            let mut verb = measured.latencies.to_json();
            let more = json!({"verb": name, "requests": measured.latencies.count(),
                "seconds": measured.took.as_secs_f64(), "perSecond": rate(measured),
                "failures": measured.failures, "failure": measured.failure});
            if let (Some(verb), Value::Object(more)) = (verb.as_object_mut(), more) {
                verb.extend(more);
            }
            verb
        });
        json!({"facts": self.facts, "verbs": verbs.collect::<Vec<_>>()})
    }
}

fn rate(measured: &Measured) -> f64 {
    let count = u32::try_from(measured.latencies.count()).unwrap_or(u32::MAX);
    f64::from(count) / measured.took.as_secs_f64().max(f64::EPSILON)
}
