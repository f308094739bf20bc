//! The corpus on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::answer::Answer;
use crate::every_kind::Row;
use crate::known::Known;
use crate::scenario::Scenario;

/// The table of resources, and the area of what is made from it.
const EVERY_KIND: &str = "every-kind";

/// `requests`, `answers` and `known-differences.txt` in one folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// One file of requests.
pub(crate) struct Topic {
    /// `area/topic`.
    pub(crate) name: String,
    /// Its scenarios, those that were asked for.
    pub(crate) scenarios: Vec<Scenario>,
}

/// The answers of one topic, by scenario.
pub(crate) type Answers = BTreeMap<String, Vec<Answer>>;

impl Folder {
    /// The repository's own.
    pub fn of_the_repository() -> Self {
        Self(PathBuf::from(env!("CARGO_MANIFEST_DIR")))
    }

    /// Another one.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The topics with a scenario whose `area/topic: name` contains one of `filters`; all, where there are none.
    pub(crate) fn topics(&self, filters: &[String]) -> anyhow::Result<Vec<Topic>> {
        let mut topics = Vec::new();
        for name in self.names()? {
            let mut topic = self.topic(&name)?;
            topic.scenarios.retain(|scenario| {
                let full = format!("{name}: {}", scenario.name);
                filters.is_empty() || filters.iter().any(|filter| full.contains(filter))
            });
            if !topic.scenarios.is_empty() {
                topics.push(topic);
            }
        }
        Ok(topics)
    }

    fn names(&self) -> anyhow::Result<Vec<String>> {
        let mut found = names(&self.0.join("requests"), "yaml")?;
        let groups: BTreeSet<String> = self
            .rows()?
            .iter()
            .map(|row| format!("{EVERY_KIND}/{}", row.group()))
            .collect();
        found.extend(groups);
        Ok(found)
    }

    /// The table that is made into the topics of `every-kind`.
    fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let path = self.0.join("requests").join(EVERY_KIND).with_extension("yaml");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path)?;
        serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
    }

    fn topic(&self, name: &str) -> anyhow::Result<Topic> {
        if let Some(group) = name.strip_prefix("every-kind/") {
            let rows = self.rows()?;
            let own = rows.iter().filter(|row| row.group() == group);
            return Ok(Topic {
                name: name.to_owned(),
                scenarios: own.map(Row::scenario).collect(),
            });
        }
        let path = self.0.join("requests").join(name).with_extension("yaml");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let scenarios: Vec<Scenario> =
            serde_saphyr::from_str(&text).with_context(|| format!("{name}.yaml"))?;
        let mut names: Vec<&String> = scenarios.iter().map(|scenario| &scenario.name).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
            bail!("{name}.yaml: two scenarios are called {twice:?}");
        }
        Ok(Topic {
            name: name.to_owned(),
            scenarios,
        })
    }

    /// Every topic that has answers.
    pub(crate) fn answered(&self) -> anyhow::Result<Vec<String>> {
        names(&self.0.join("answers"), "json")
    }

    /// The recorded answers of a topic; none where it has no file.
    pub(crate) fn answers(&self, topic: &str) -> anyhow::Result<Answers> {
        let path = self.answers_path(topic);
        if !path.exists() {
            return Ok(Answers::new());
        }
        let text = fs::read_to_string(&path)?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Keeps answers, beside those of the topic's other scenarios that are still there.
    pub(crate) fn keep_answers(&self, topic: &str, new: Answers) -> anyhow::Result<()> {
        let mut answers = self.answers(topic)?;
        answers.extend(new);
        let scenarios = self.topic(topic)?.scenarios;
        answers.retain(|name, _| scenarios.iter().any(|scenario| scenario.name == *name));
        let path = self.answers_path(topic);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // As a value first, so that keys are in order. An indentation of one keeps the files small.
        let value = sorted(&serde_json::to_value(&answers)?);
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
        text.push(b'\n');
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn answers_path(&self, topic: &str) -> PathBuf {
        self.0.join("answers").join(format!("{topic}.json"))
    }

    /// The steps that are known to differ.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn known(&self) -> anyhow::Result<Known> {
        let path = self.known_path();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Known::parse(&text))
    }

    pub(crate) fn keep_known(&self, known: &Known) -> anyhow::Result<()> {
        fs::write(self.known_path(), known.to_text())?;
        Ok(())
    }

    /// The lines of a file, comments aside; none where it is not there.
    pub(crate) fn lines(&self, path: &str) -> anyhow::Result<Vec<String>> {
        let path = self.0.join(path);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path)?;
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        Ok(lines.map(str::to_owned).collect())
    }

    /// Writes lines below a comment.
    pub(crate) fn keep_lines<'a>(
        &self,
        path: &str,
        head: &str,
        lines: impl Iterator<Item = &'a String>,
    ) -> anyhow::Result<()> {
        let mut text = format!("# {head}\n");
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn known_path(&self) -> PathBuf {
        self.0.join("known-differences.txt")
    }
}

fn sorted(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let ordered: BTreeMap<&String, Value> =
                fields.iter().map(|(key, value)| (key, sorted(value))).collect();
            ordered
                .into_iter()
                .map(|(key, value)| (key.clone(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// `area/topic` of every file with this extension, in order.
fn names(folder: &Path, extension: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for area in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let area = area?.path();
        if !area.is_dir() {
            continue;
        }
        for file in fs::read_dir(&area)? {
            let file = file?.path();
            if file.extension().is_some_and(|found| found == extension) {
                let name = file.with_extension("");
                let name = name.strip_prefix(folder)?;
                found.push(name.to_string_lossy().into_owned());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
