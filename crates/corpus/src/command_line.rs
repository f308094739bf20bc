//! `warren-corpus record | diff | check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};
use warren_remote::Access;

use crate::connection::Target;
use crate::difference::differences;
use crate::folder::{Answers, Folder};
use crate::output::{say, tell};
use crate::self_description::check_self_description;
use crate::snapshot;
use crate::verdict::{check, play_all};

/// Sends one corpus of requests to API servers and compares their answers
#[derive(Debug, Parser)]
#[command(name = "warren-corpus", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record what a real kube-apiserver answers
    Record {
        /// Its kubeconfig
        #[arg(long, value_name = "FILE")]
        kubeconfig: PathBuf,
        /// Only scenarios whose `area/topic: name` contains one of these
        filters: Vec<String>,
    },
    /// Compare what two API servers answer
    Diff {
        /// The kubeconfig of one
        #[arg(long, value_name = "FILE")]
        left: PathBuf,
        /// The kubeconfig of the other
        #[arg(long, value_name = "FILE")]
        right: PathBuf,
        /// Only scenarios whose `area/topic: name` contains one of these
        filters: Vec<String>,
    },
    /// Record what a real kube-apiserver says of itself: discovery, OpenAPI, bootstrap roles, table columns
    Snapshot {
        /// Its kubeconfig
        #[arg(long, value_name = "FILE")]
        kubeconfig: PathBuf,
    },
    /// Compare what Warren says of itself, in this process, with what was recorded, and list unrequested routes
    Describe {
        /// Bring the lists in `snapshots` to what is found
        #[arg(long)]
        rewrite_known: bool,
    },
    /// Compare what Warren answers, in this process, with what was recorded
    Check {
        /// Bring known-differences.txt to what is found
        #[arg(long)]
        rewrite_known: bool,
        /// Only scenarios whose `area/topic: name` contains one of these
        filters: Vec<String>,
    },
}

/// Parses the arguments and does what they ask for.
pub fn run() -> ExitCode {
    let line = CommandLine::parse();
    let folder = Folder::of_the_repository();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match line.command {
                Command::Record { kubeconfig, filters } => record(&folder, kubeconfig, &filters).await,
                Command::Diff { left, right, filters } => diff(&folder, [left, right], &filters).await,
                Command::Snapshot { kubeconfig } => snapshot(&folder, kubeconfig).await,
                Command::Describe { rewrite_known } => describe(&folder, rewrite_known).await,
                Command::Check {
                    rewrite_known,
                    filters,
                } => report(&folder, &filters, rewrite_known).await,
            }
        })
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&format!("Error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn target(kubeconfig: PathBuf) -> anyhow::Result<Target> {
    let access = Access {
        kubeconfig: Some(kubeconfig),
        ..Access::default()
    };
    Target::new(&access.endpoint()?)
}

async fn record(folder: &Folder, kubeconfig: PathBuf, filters: &[String]) -> anyhow::Result<bool> {
    let target = target(kubeconfig)?;
    let mut topics: Vec<(String, Answers)> = Vec::new();
    let mut failed = 0;
    let mut steps = 0;
    for played in play_all(folder, filters, &target).await? {
        let name = played.name();
        let answers = match played.answers {
            Ok(answers) => answers,
            Err(error) => {
                tell(&format!("{name}\n    {error:#}"));
                failed += 1;
                continue;
            }
        };
        steps += answers.len();
        match topics.last_mut() {
            Some((topic, all)) if *topic == played.topic => drop(all.insert(played.scenario.name, answers)),
            _ => topics.push((played.topic, Answers::from([(played.scenario.name, answers)]))),
        }
    }
    for (topic, answers) in topics {
        folder.keep_answers(&topic, answers)?;
    }
    say(&format!("{steps} answers recorded, {failed} scenarios failed"));
    Ok(failed == 0)
}

async fn diff(folder: &Folder, [left, right]: [PathBuf; 2], filters: &[String]) -> anyhow::Result<bool> {
    let (left, right) = (target(left)?, target(right)?);
    let ones = play_all(folder, filters, &left).await?;
    let others = play_all(folder, filters, &right).await?;
    let mut compared = 0;
    let mut differing = 0;
    for (one, other) in ones.iter().zip(&others) {
        let (Ok(lefts), Ok(rights)) = (&one.answers, &other.answers) else {
            for failed in [&one.answers, &other.answers]
                .into_iter()
                .filter_map(|answers| answers.as_ref().err())
            {
                say(&format!("{}\n    {failed:#}", one.name()));
            }
            differing += 1;
            continue;
        };
        for (left, right) in lefts.iter().zip(rights) {
            compared += 1;
            let found = differences(&left.to_value(), &right.to_value(), ["left ", "right"]);
            if !found.is_empty() {
                differing += 1;
                say(&format!(
                    "{} / {}\n    {}",
                    one.name(),
                    left.request,
                    found.join("\n    ")
                ));
            }
        }
    }
    say(&format!("{compared} answers compared, {differing} differ"));
    if ones.len() != others.len() {
        bail!("the corpus changed meanwhile");
    }
    Ok(differing == 0)
}

async fn snapshot(folder: &Folder, kubeconfig: PathBuf) -> anyhow::Result<bool> {
    for (file, lines) in snapshot::take(&target(kubeconfig)?).await? {
        let head = "Recorded from a kube-apiserver 1.36 by `warren-corpus snapshot`.";
        folder.keep_lines(&format!("snapshots/{file}.txt"), head, lines.iter())?;
        say(&format!("{file}: {} lines", lines.len()));
    }
    Ok(true)
}

async fn describe(folder: &Folder, rewrite: bool) -> anyhow::Result<bool> {
    let problems = check_self_description(folder, rewrite).await?;
    for problem in &problems {
        say(problem);
    }
    say(&format!("{} findings", problems.len()));
    Ok(problems.is_empty())
}

async fn report(folder: &Folder, filters: &[String], rewrite: bool) -> anyhow::Result<bool> {
    let verdict = check(folder, filters, rewrite).await?;
    for problem in &verdict.problems {
        say(problem);
    }
    say(&format!(
        "{} answers compared, {} known to differ, {} findings",
        verdict.compared,
        verdict.known,
        verdict.problems.len()
    ));
    Ok(verdict.problems.is_empty() || rewrite)
}
