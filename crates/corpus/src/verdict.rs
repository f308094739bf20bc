//! Compares what Warren answers with what was recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::bail;
use futures_util::StreamExt;
use futures_util::stream;

use crate::answer::Answer;
use crate::connection::Target;
use crate::difference::differences;
use crate::folder::Folder;
use crate::play::play;
use crate::scenario::Scenario;
use crate::virtual_cluster::VirtualCluster;

/// How many scenarios are played at a time.
pub(crate) const AT_A_TIME: usize = 12;

/// One scenario's outcome.
pub(crate) struct Played {
    /// `area/topic`.
    pub(crate) topic: String,
    pub(crate) scenario: Scenario,
    pub(crate) answers: anyhow::Result<Vec<Answer>>,
}

impl Played {
    /// `area/topic: scenario`.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.topic, self.scenario.name)
    }
}

/// Plays everything that the filters name, some at a time; outcomes come in the order of the files.
pub(crate) async fn play_all(
    folder: &Folder,
    filters: &[String],
    target: &Target,
) -> anyhow::Result<Vec<Played>> {
    let mut all = Vec::new();
    for topic in folder.topics(filters)? {
        for scenario in topic.scenarios {
            all.push((topic.name.clone(), scenario));
        }
    }
    if all.is_empty() {
        bail!("no scenario is called like that");
    }
    let target = Arc::new(target.clone());
    let playing = stream::iter(all).map(|(topic, scenario)| {
        let target = Arc::clone(&target);
        async move {
            let answers = play(&target, &scenario).await;
            Played {
                topic,
                scenario,
                answers,
            }
        }
    });
    Ok(playing.buffered(AT_A_TIME).collect().await)
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What must be looked at, in full.
    pub problems: Vec<String>,
    /// How many steps were compared.
    pub compared: usize,
    /// How many of them are known to differ.
    pub known: usize,
}

/// Starts a virtual cluster, plays the scenarios that the filters name, and compares with the recorded answers. With
/// `rewrite`, `known-differences.txt` is brought to what was found.
///
/// # Errors
/// When Warren does not start or the files cannot be read; what differs is in the verdict.
pub async fn check(folder: &Folder, filters: &[String], rewrite: bool) -> anyhow::Result<Verdict> {
    let warren = VirtualCluster::start().await?;
    let played = play_all(folder, filters, &warren.target).await;
    warren.stop().await;
    let mut verdict = Verdict::default();
    let mut known = folder.known()?;
    for played in &played? {
        let differing = judge(folder, played, &mut verdict)?;
        let lines = differing.iter().map(|(line, _)| line.clone());
        if rewrite {
            known.replace(&played.name(), lines);
        } else {
            let lines: BTreeSet<String> = lines.collect();
            let name = played.name();
            let stale = known.of(&name).filter(|line| !lines.contains(*line));
            verdict.problems.extend(
                stale.map(|line| {
                    format!("{line}\n    no longer differs: remove it from known-differences.txt")
                }),
            );
        }
        for (line, found) in differing {
            if known.contains(&line) {
                verdict.known += 1;
            }
            if rewrite || !known.contains(&line) || !filters.is_empty() {
                let mark = if known.contains(&line) { " (known)" } else { "" };
                verdict
                    .problems
                    .push(format!("{line}{mark}\n    {}", found.join("\n    ")));
            }
        }
    }
    if rewrite {
        folder.keep_known(&known)?;
    } else if filters.is_empty() {
        verdict.problems.extend(leftovers(folder)?);
    }
    Ok(verdict)
}

/// The steps of a scenario that differ, and how.
fn judge(
    folder: &Folder,
    played: &Played,
    verdict: &mut Verdict,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let name = played.name();
    let recorded = folder.answers(&played.topic)?.remove(&played.scenario.name);
    let Some(recorded) = recorded else {
        verdict
            .problems
            .push(format!("{name}\n    has no recorded answers: record them"));
        return Ok(Vec::new());
    };
    let digests: Vec<String> = played.scenario.steps.iter().map(|step| step.digest()).collect();
    if !digests.iter().eq(recorded.iter().map(|answer| &answer.sent)) {
        verdict.problems.push(format!(
            "{name}\n    was changed since its answers were recorded: record them"
        ));
        return Ok(Vec::new());
    }
    let answers = match &played.answers {
        Ok(answers) => answers,
        Err(error) => {
            let line = format!(
                "{name} / {}",
                played.scenario.labels().last().cloned().unwrap_or_default()
            );
            return Ok(vec![(line, vec![format!("{error:#}")])]);
        }
    };
    verdict.compared += answers.len();
    let mut differing = Vec::new();
    for (was, is) in recorded.iter().zip(answers) {
        let found = differences(&was.to_value(), &is.to_value(), ["recorded", "Warren  "]);
        if !found.is_empty() {
            differing.push((format!("{name} / {}", is.request), found));
        }
    }
    Ok(differing)
}

/// Answers and known differences of what no longer is.
fn leftovers(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut scenarios = BTreeSet::new();
    let mut topics = BTreeSet::new();
    for topic in folder.topics(&[])? {
        for scenario in &topic.scenarios {
            scenarios.insert(format!("{}: {}", topic.name, scenario.name));
        }
        topics.insert(topic.name);
    }
    for line in folder.known()?.orphans(&scenarios) {
        problems.push(format!(
            "{line}\n    names no scenario: remove it from known-differences.txt"
        ));
    }
    for topic in folder.answered()? {
        if !topics.contains(&topic) {
            problems.push(format!(
                "answers/{topic}.json\n    answers no requests: remove it"
            ));
            continue;
        }
        for name in folder.answers(&topic)?.into_keys() {
            if !scenarios.contains(&format!("{topic}: {name}")) {
                problems.push(format!(
                    "{topic}: {name}\n    is no longer asked: record the topic again"
                ));
            }
        }
    }
    Ok(problems)
}
