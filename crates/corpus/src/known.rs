//! `known-differences.txt`: the steps that Warren does not answer as recorded. It only shrinks.

use std::collections::BTreeSet;

const HEAD: &str = "\
# Steps that Warren does not answer as the kube-apiserver did: `area/topic: scenario / request`. This list only shrinks:
# a step that is listed and no longer differs fails the test, as does one that differs and is not listed.
";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(BTreeSet<String>);

impl Known {
    /// One step a line; `#` begins a comment.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(lines.map(str::to_owned).collect())
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        for line in &self.0 {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    pub(crate) fn contains(&self, step: &str) -> bool {
        self.0.contains(step)
    }

    /// The listed steps of a scenario, given as `area/topic: scenario`.
    pub(crate) fn of<'a>(&'a self, scenario: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |line| {
            line.strip_prefix(scenario)?
                .starts_with(" / ")
                .then_some(line.as_str())
        })
    }

    /// From now on a scenario differs in these steps and no other.
    pub(crate) fn replace(&mut self, scenario: &str, differing: impl IntoIterator<Item = String>) {
        let old: Vec<String> = self.of(scenario).map(str::to_owned).collect();
        for line in old {
            self.0.remove(&line);
        }
        self.0.extend(differing);
    }

    /// The lines that belong to none of these scenarios.
    pub(crate) fn orphans(&self, scenarios: &BTreeSet<String>) -> Vec<String> {
        self.0
            .iter()
            .filter(|line| {
                line.rsplit_once(" / ")
                    .is_none_or(|(scenario, _)| !scenarios.contains(scenario))
            })
            .cloned()
            .collect()
    }
}
