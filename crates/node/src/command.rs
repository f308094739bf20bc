//! How long a container would run, judged by its command alone.
//!
//! Understood are commands that say so themselves: `true`, `false`, `sleep N`, `exit N`, and shell scripts made of
//! nothing else but these and `echo`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Container;

/// How long a command that is not understood is given in a pod that is meant to end.
const ASSUMED: Duration = Duration::from_secs(1);

/// What becomes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// It runs until it is stopped.
    Forever,
    /// It ends after this time with this exit code.
    Ends(Duration, i32),
}

/// Whether a pod's containers are meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Init containers, and containers of Jobs: they end even if the image's own command is all there is.
    Task,
    /// Containers of pods that are not restarted when they end: they end if they have a command.
    Once,
    /// Servers: they run, unless the command itself says otherwise.
    Service,
}

/// Judges a container.
pub(crate) fn run(container: &Container, purpose: Purpose) -> Run {
    let words: Vec<&str> = container
        .command
        .iter()
        .flatten()
        .chain(container.args.iter().flatten())
        .map(String::as_str)
        .collect();
    if let Some(run) = understood(&words) {
        return run;
    }
    match purpose {
        Purpose::Task => Run::Ends(ASSUMED, 0),
        Purpose::Once if !words.is_empty() => Run::Ends(ASSUMED, 0),
        Purpose::Once | Purpose::Service => Run::Forever,
    }
}

fn understood(words: &[&str]) -> Option<Run> {
    match words {
        [shell, flag, script] if is_shell(shell) && flag.starts_with('-') && flag.ends_with('c') => {
            self::script(script)
        }
        _ => simple(words),
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

fn simple(words: &[&str]) -> Option<Run> {
    let (program, arguments) = words.split_first()?;
    match (program.rsplit('/').next()?, arguments) {
        ("true", _) => Some(Run::Ends(Duration::ZERO, 0)),
        ("false", _) => Some(Run::Ends(Duration::ZERO, 1)),
        ("pause", []) => Some(Run::Forever),
        ("sleep", ["infinity" | "inf"]) => Some(Run::Forever),
        ("sleep", [time]) => Some(Run::Ends(span(time)?, 0)),
        _ => None,
    }
}

/// Commands in a row, by `;`, `&&` or lines. Anything else that a shell can do is not understood.
fn script(text: &str) -> Option<Run> {
    if text.contains(['|', '$', '`', '(', '{', '<', '>', '*']) || text.replace("&&", "").contains('&') {
        return None;
    }
    let text = text.replace("&&", "\n").replace(';', "\n");
    let mut total = Duration::ZERO;
    let mut code = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["exit"] => return Some(Run::Ends(total, code)),
            ["exit", number] => return Some(Run::Ends(total, number.parse().ok()?)),
            ["echo", ..] | ["date"] | ["hostname"] => code = 0,
            words => match simple(words)? {
                Run::Forever => return Some(Run::Forever),
                Run::Ends(time, ended) => {
                    total = total.saturating_add(time);
                    code = ended;
                }
            },
        }
    }
    Some(Run::Ends(total, code))
}

/// `5`, `0.5`, `10s`, `2m`, `1h`, `1d`.
fn span(text: &str) -> Option<Duration> {
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &[&str], purpose: Purpose, expected: Run) {
        let container = Container {
            command: Some(command.iter().map(ToString::to_string).collect()),
            ..Container::default()
        };
        assert_eq!(run(&container, purpose), expected, "{command:?}");
    }

    fn ends(seconds: f64, code: i32) -> Run {
        Run::Ends(Duration::from_secs_f64(seconds), code)
    }

    #[test]
    fn simple_commands_are_understood() {
        check(&["sleep", "5"], Purpose::Service, ends(5.0, 0));
        check(&["/bin/sleep", "1.5m"], Purpose::Once, ends(90.0, 0));
        check(&["sleep", "infinity"], Purpose::Task, Run::Forever);
        check(&["false"], Purpose::Task, ends(0.0, 1));
        check(
            &["sh", "-c", "echo hi; sleep 2 && exit 3"],
            Purpose::Task,
            ends(2.0, 3),
        );
        check(
            &["/bin/bash", "-ec", "date; echo Hello"],
            Purpose::Task,
            ends(0.0, 0),
        );
    }

    #[test]
    fn what_needs_running_to_know_is_not_guessed() {
        check(
            &["sh", "-c", "while true; do sleep 5; done"],
            Purpose::Service,
            Run::Forever,
        );
        check(
            &["sh", "-c", "echo $X | grep y; exit 1"],
            Purpose::Task,
            ends(1.0, 0),
        );
        check(
            &["perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"],
            Purpose::Task,
            ends(1.0, 0),
        );
        check(&[], Purpose::Once, Run::Forever);
        check(&[], Purpose::Task, ends(1.0, 0));
        check(&["sleep", "soon"], Purpose::Service, Run::Forever);
    }
}
