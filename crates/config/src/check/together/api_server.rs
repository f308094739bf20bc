//! Flags of kube-apiserver: which are understood for one virtual cluster, and what is said of the others.

use std::sync::LazyLock;

use super::Tell;
use crate::ApiServer;

const PATH: &str = "controlPlane.distro.k8s.apiServer.extraArgs";
const TEXT: &str = include_str!("../../api_server_flags.txt");

/// One row of the table.
struct Row {
    name: &'static str,
    takes: Takes,
    words: &'static str,
}

/// What a flag may be set to.
enum Takes {
    /// Names between commas; which, is looked at where they are used.
    List,
    Number,
    /// Only what holds anyway.
    Only(&'static str),
    Anything,
    Nothing,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| TEXT.lines().filter_map(row).collect());

fn row(line: &'static str) -> Option<Row> {
    let (class, rest) = line.split_once(' ')?;
    let (name, words) = rest.split_once("  ").unwrap_or((rest, ""));
    let takes = match class {
        "list" => Takes::List,
        "number" => Takes::Number,
        "ignored" => Takes::Anything,
        "refused" => Takes::Nothing,
        _ => Takes::Only(class.strip_prefix("only:")?),
    };
    Some(Row { name, takes, words })
}

pub(super) fn check(api_server: &ApiServer, tell: &mut Tell<'_>) {
    for (name, value) in api_server.flags() {
        if let Some(why) = refusal(name, value) {
            tell(PATH, format!("--{}: {why}", name.trim_start_matches('-')));
        }
    }
}

fn refusal(name: &str, value: &str) -> Option<String> {
    let Some(row) = ROWS.iter().find(|row| row.name == name) else {
        return Some("this flag is not read for a virtual cluster".to_owned());
    };
    match row.takes {
        Takes::List | Takes::Anything => None,
        Takes::Number if value.parse::<i64>().is_ok() => None,
        Takes::Number => Some(format!(
            "invalid argument {value:?}: strconv.ParseInt: parsing {value:?}: invalid syntax"
        )),
        Takes::Only(only) if value == only || (only == "true" && value.is_empty()) => None,
        Takes::Only(_) | Takes::Nothing => Some(row.words.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_all(args: &[&str], expect: &[&str]) {
        let server = ApiServer {
            extra_args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        let mut told = Vec::new();
        check(&server, &mut |_, words| told.push(words));
        assert_eq!(told, expect, "{args:?}");
    }

    #[test]
    fn every_line_of_the_table_is_a_row() {
        let lines = TEXT
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.count(), ROWS.len());
    }

    #[test]
    fn flags_that_are_not_understood_are_refused_by_name() {
        check_all(
            &[
                "--enable-admission-plugins=AlwaysPullImages,PodNodeSelector",
                "--default-not-ready-toleration-seconds",
                "60",
                "--authorization-mode=Node,RBAC",
                "--v=4",
            ],
            &[],
        );
        check_all(
            &[
                "--authorization-mode=AlwaysAllow",
                "--default-unreachable-toleration-seconds=soon",
                "--no-such-flag",
                "stray",
            ],
            &[
                "--authorization-mode: nodes are authorised as nodes, all others by RBAC",
                "--default-unreachable-toleration-seconds: invalid argument \"soon\": strconv.ParseInt: parsing \"soon\": invalid syntax",
                "--no-such-flag: this flag is not read for a virtual cluster",
            ],
        );
    }
}
