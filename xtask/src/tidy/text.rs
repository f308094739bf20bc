//! What a file says: module docs, names, and what must not stand in it.

use super::Source;

const BANNED_MODULES: &[&str] = &[
    "utils", "util", "common", "helpers", "misc", "manager", "types", "v2",
];

/// Checks one file.
pub(crate) fn check(source: &Source, findings: &mut Vec<String>) {
    let Source { path, text } = source;
    if !text.starts_with("//!") && !path.contains("/tests/") && !path.ends_with("/tests.rs") {
        findings.push(format!("{path}:1: does not open with //!"));
    }
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    if BANNED_MODULES.contains(&stem) || (stem == "mod" && BANNED_MODULES.contains(&folder)) {
        findings.push(format!("{path}:1: `{stem}` says nothing about what is inside"));
    }
    if path.starts_with("xtask/") {
        return;
    }
    for (at, line) in text.lines().enumerate() {
        for (banned, instead) in [
            ("#[ignore", "a test that does not run is no test"),
            ("#[should_panic", "assert what is returned"),
            ("#[allow(", "use #[expect(…, reason = …)]"),
            ("fn get_", "no get_ prefix"),
            ("todo!(", "say by name what is missing"),
            ("unimplemented!(", "say by name what is missing"),
        ] {
            if line.trim_start().starts_with(banned) || (banned == "fn get_" && line.contains(banned)) {
                findings.push(format!("{path}:{}: {banned}: {instead}", at + 1));
            }
        }
    }
}
