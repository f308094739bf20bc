//! `warren config`: is this configuration for us?

pub(crate) mod file;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use warren_config::check::{Checked, Class, Finding};

use crate::output::{Output, say_json};
use crate::terminal::{Paint, Tone, say};

/// Check a vcluster.yaml, or print its schema
#[derive(Args, Debug)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Check(Check),
    Schema(Schema),
}

/// Say of each field of a vcluster.yaml whether it is supported, ignored or refused
///
/// Exit code 0: nothing is refused. Exit code 1: something is, or the file cannot be read.
#[derive(Args, Debug)]
struct Check {
    /// A vcluster.yaml or a VirtualCluster object; - reads standard input
    file: PathBuf,
    /// Only what is ignored or refused
    #[arg(short, long)]
    quiet: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Print the JSON schema of a vcluster.yaml, for editors
#[derive(Args, Debug)]
struct Schema {}

impl Config {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::Schema(_) => {
                say_json(&warren_config::schema::for_editors())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Check {
    fn run(self) -> anyhow::Result<ExitCode> {
        let (_, checked) = file::look(&self.file)?;
        if self.output == Output::Json {
            say_json(&as_json(&checked))?;
        } else {
            self.print(&checked)?;
        }
        Ok(if checked.is_valid() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn print(&self, checked: &Checked) -> anyhow::Result<()> {
        let paint = Paint::of_output();
        let mut out = std::io::stdout().lock();
        let shown = |finding: &&Finding| !self.quiet || finding.class != Class::Supported;
        for finding in checked.findings.iter().filter(shown) {
            writeln!(out, "{}", line(finding, paint))?;
        }
        drop(out);
        let count = |class| checked.of(class).count();
        say(&format!(
            "{} supported, {} ignored, {} refused",
            count(Class::Supported),
            count(Class::Ignored),
            count(Class::Refused)
        ));
        Ok(())
    }
}

/// `refused    12  sync.toHost.pod: unknown field; did you mean pods?`
fn line(finding: &Finding, paint: Paint) -> String {
    let tone = match finding.class {
        Class::Supported => Tone::Good,
        Class::Ignored => Tone::Notice,
        Class::Refused => Tone::Bad,
    };
    let class = paint.text(tone, &format!("{:9}", finding.class.as_str()));
    let at = finding.line.map(|line| line.to_string()).unwrap_or_default();
    let words = if finding.words.is_empty() {
        String::new()
    } else {
        format!(": {}", finding.words)
    };
    format!("{class} {at:>4}  {}{words}", finding.path)
}

fn as_json(checked: &Checked) -> serde_json::Value {
    let findings = checked.findings.iter().map(|finding| {
        json!({"path": finding.path, "line": finding.line, "class": finding.class.as_str(), "words": finding.words})
    });
    json!({"valid": checked.is_valid(), "findings": findings.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_one_line_with_its_class_its_line_and_its_path() {
        let text = b"pro: true\nsync:\n  toHost:\n    ingresses: {enabled: true}\n    pod: {}\n";
        let (_, checked) = warren_config::check::check_text(text).unwrap();
        let lines: Vec<_> = checked
            .findings
            .iter()
            .map(|finding| line(finding, Paint::Plain))
            .collect();
        let expect = [
            "ignored      1  pro: what vCluster sells as Pro is simply there",
            "supported    4  sync.toHost.ingresses.enabled",
            "refused      5  sync.toHost.pod: unknown field; did you mean pods?",
        ];
        assert_eq!(lines, expect);
    }
}
