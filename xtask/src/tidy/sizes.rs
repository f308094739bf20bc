//! Sizes: files and functions that outgrow a reader's attention.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Source;

const FILE_MAX: usize = 600;
const FUNCTION_MAX: usize = 80;
const MAIN_MAX: usize = 30;

/// `xtask/size-exceptions.txt` lists what is larger; an entry that is no longer needed is a finding, so that
/// the list only shrinks.
pub(crate) fn check(root: &Path, sources: &[Source], findings: &mut Vec<String>) -> anyhow::Result<()> {
    let list = fs::read_to_string(root.join("xtask/size-exceptions.txt")).unwrap_or_default();
    let mut exceptions: BTreeSet<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    for source in sources.iter().filter(|source| source.is_production()) {
        for (what, finding) in oversized(source) {
            if !exceptions.remove(what.as_str()) {
                findings.push(finding);
            }
        }
    }
    findings.extend(
        exceptions
            .iter()
            .filter(|entry| !entry.is_empty())
            .map(|entry| format!("xtask/size-exceptions.txt: {entry} is no longer too large: remove it")),
    );
    Ok(())
}

/// What is too large in a file: its name in the list of exceptions, and what to print.
fn oversized(source: &Source) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = source.production_lines().collect();
    let is_main = source.path.ends_with("/main.rs") && source.path.starts_with("crates/");
    let max = if is_main { MAIN_MAX } else { FILE_MAX };
    // A list of modules grows with the commands and says nothing that could go wrong.
    let counted = lines
        .iter()
        .filter(|line| !(is_main && line.starts_with("mod ")))
        .count();
    if counted > max {
        found.push((
            source.path.clone(),
            format!("{}: {counted} production lines, {max} allowed", source.path),
        ));
    }
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function_name(line.trim_start()) else {
            continue;
        };
        // rustfmt closes a body at the indentation of its `fn`.
        let closing = format!("{}}}", " ".repeat(indent));
        let length = lines.iter().skip(at).take_while(|line| **line != closing).count() + 1;
        // A method that a trait only names has no body.
        let head = lines
            .iter()
            .skip(at)
            .take(10)
            .find(|line| line.ends_with(['{', ';']));
        if head.is_some_and(|line| line.ends_with('{')) && length > FUNCTION_MAX {
            found.push((
                format!("{}::{name}", source.path),
                format!(
                    "{}:{}: fn {name} has {length} lines, {FUNCTION_MAX} allowed",
                    source.path,
                    at + 1
                ),
            ));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line;
    for prefix in [
        "pub(crate) ",
        "pub(super) ",
        "pub ",
        "const ",
        "async ",
        "unsafe ",
    ] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}
