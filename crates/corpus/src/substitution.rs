//! What a scenario learns as it goes: its namespace, and what answers said that later requests need.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::Context;
use regex::Regex;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;

#[expect(clippy::unwrap_used, reason = "a constant, tried by every run")]
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$(uid|rv|name|continue|token|etag)\(([^)]*)\)").unwrap());

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The scenario's namespace.
    pub(crate) namespace: String,
    answers: BTreeMap<String, Value>,
    etags: BTreeMap<String, String>,
    /// Names that the server made up, and what is shown for them.
    pub(crate) generated: Vec<(String, String)>,
}

impl Memory {
    /// With a namespace.
    #[cfg(test)]
    pub(crate) fn new(namespace: String) -> Self {
        Self {
            namespace,
            ..Self::default()
        }
    }

    /// Keeps an answer for later steps, as it came.
    pub(crate) fn keep(&mut self, name: &str, body: &Value, etag: &str) {
        self.answers.insert(name.to_owned(), body.clone());
        self.etags.insert(name.to_owned(), etag.to_owned());
    }

    /// Puts `$ns`, `$uid(…)`, `$rv(…)`, `$name(…)`, `$continue(…)`, `$token(…)` and `$etag(…)` into a text.
    pub(crate) fn fill(&self, text: &str) -> anyhow::Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(found) = REFERENCE.captures(rest) {
            let (whole, what, step) = match (found.get(0), found.get(1), found.get(2)) {
                (Some(whole), Some(what), Some(step)) => (whole, what.as_str(), step.as_str()),
                _ => break,
            };
            let answer = self
                .answers
                .get(step)
                .with_context(|| format!("no earlier step is called {step:?}"))?;
            let value = match what {
                "uid" => answer.text("/metadata/uid"),
                "rv" => answer.text("/metadata/resourceVersion"),
                "name" => answer.text("/metadata/name"),
                "continue" => answer.text("/metadata/continue"),
                "etag" => self.etags.get(step).map_or("", String::as_str),
                _ => answer.text("/status/token"),
            };
            let (before, _) = rest.split_at(whole.start());
            let (_, after) = rest.split_at(whole.end());
            filled.push_str(before);
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled.replace("$ns", &self.namespace))
    }
}
