//! What changed between two values, as upstream shows it in messages: a unified diff of their lines in JSON.
//!
//! The blocks that stay are found as Python's `difflib` finds them, whose port upstream uses.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;

use crate::go_literal::go_literal;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;
/// From so many lines on, lines that occur often do not start a block.
const MANY_LINES: usize = 200;

/// The difference from `old` to `new`, both of the Go type `kind`.
pub(crate) fn diff(kind: &str, old: &Value, new: &Value) -> String {
    let (old, new) = (indented(&go_literal(kind, old)), indented(&go_literal(kind, new)));
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    unified(&old, &new)
}

/// Compact JSON over lines, each level one blank further in, as Go's encoder lays it out.
fn indented(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
    };
    let mut rest = compact.chars().peekable();
    while let Some(c) = rest.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        let is_empty = |next: Option<&char>| matches!((c, next), ('{', Some('}')) | ('[', Some(']')));
        match c {
            '{' | '[' if is_empty(rest.peek()) => {
                out.push(c);
                out.extend(rest.next());
            }
            '{' | '[' => {
                depth += 1;
                out.push(c);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_text = true;
                out.push(c);
            }
            other => out.push(other),
        }
    }
    out
}

/// A run of equal lines: where it starts in the old and the new text, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    old: usize,
    new: usize,
    length: usize,
}

/// A part of both texts that is replaced (unequal) or stays.
#[derive(Clone, Copy)]
struct Change {
    equal: bool,
    old: (usize, usize),
    new: (usize, usize),
}

fn unified(old: &[&str], new: &[&str]) -> String {
    let mut out = String::new();
    for group in groups(changes(&blocks(old, new), old.len(), new.len())) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let (from, to) = (range(first.old.0, last.old.1), range(first.new.0, last.new.1));
        // Writing to a text cannot fail.
        let _ = writeln!(out, "@@ -{from} +{to} @@");
        for change in group {
            let mut lines = |sign: char, text: &[&str], (start, end): (usize, usize)| {
                for line in text.get(start..end).unwrap_or_default() {
                    let _ = writeln!(out, "{sign}{line}");
                }
            };
            if change.equal {
                lines(' ', old, change.old);
            } else {
                lines('-', old, change.old);
                lines('+', new, change.new);
            }
        }
    }
    out
}

/// Where a hunk starts, from one, and how many lines it has, unless one.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        length => format!("{},{length}", start + 1),
    }
}

fn changes(blocks: &[Block], old: usize, new: usize) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    let end = Block { old, new, length: 0 };
    for block in blocks.iter().chain([&end]) {
        if at_old < block.old || at_new < block.new {
            changes.push(Change {
                equal: false,
                old: (at_old, block.old),
                new: (at_new, block.new),
            });
        }
        (at_old, at_new) = (block.old + block.length, block.new + block.length);
        if block.length > 0 {
            changes.push(Change {
                equal: true,
                old: (block.old, at_old),
                new: (block.new, at_new),
            });
        }
    }
    changes
}

/// Changes with their context; those that are far apart stand in hunks of their own.
fn groups(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let last = changes.len().saturating_sub(1);
    let (mut groups, mut group) = (Vec::new(), Vec::new());
    for (at, mut change) in changes.into_iter().enumerate() {
        if change.equal {
            let (start, end) = change.old;
            let shift = change.new.0.abs_diff(start);
            let is_later = change.new.0 >= start;
            let moved = |line: usize| if is_later { line + shift } else { line - shift };
            if at == 0 {
                change.old.0 = start.max(end.saturating_sub(CONTEXT));
                change.new.0 = moved(change.old.0);
            } else if at == last {
                change.old.1 = end.min(start + CONTEXT);
                change.new.1 = moved(change.old.1);
            } else if end - start > 2 * CONTEXT {
                group.push(Change {
                    equal: true,
                    old: (start, start + CONTEXT),
                    new: (moved(start), moved(start + CONTEXT)),
                });
                groups.push(std::mem::take(&mut group));
                change.old.0 = end - CONTEXT;
                change.new.0 = moved(change.old.0);
            }
        }
        group.push(change);
    }
    if group.iter().any(|change| !change.equal) {
        groups.push(group);
    }
    groups
}

/// The blocks that both texts share, in order; neighbours are joined.
fn blocks(old: &[&str], new: &[&str]) -> Vec<Block> {
    let mut positions: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, line) in new.iter().enumerate() {
        positions.entry(line).or_default().push(at);
    }
    if new.len() >= MANY_LINES {
        positions.retain(|_, at| at.len() <= new.len() / 100 + 1);
    }
    let mut found = Vec::new();
    let mut open = vec![(0, old.len(), 0, new.len())];
    while let Some((old_from, old_to, new_from, new_to)) = open.pop() {
        let block = longest(old, new, &positions, (old_from, old_to, new_from, new_to));
        if block.length == 0 {
            continue;
        }
        found.push(block);
        open.push((old_from, block.old, new_from, block.new));
        open.push((block.old + block.length, old_to, block.new + block.length, new_to));
    }
    found.sort_unstable_by_key(|block| (block.old, block.new));
    let mut joined: Vec<Block> = Vec::new();
    for block in found {
        match joined.last_mut() {
            Some(last) if last.old + last.length == block.old && last.new + last.length == block.new => {
                last.length += block.length;
            }
            _ => joined.push(block),
        }
    }
    joined
}

/// The longest block within a window of both texts, the first of those that are equally long; it then grows over
/// lines that could not start one.
fn longest(
    old: &[&str],
    new: &[&str],
    positions: &HashMap<&str, Vec<usize>>,
    (old_from, old_to, new_from, new_to): (usize, usize, usize, usize),
) -> Block {
    let mut best = Block {
        old: old_from,
        new: new_from,
        length: 0,
    };
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for at in old_from..old_to {
        let mut next = HashMap::new();
        let candidates = old.get(at).and_then(|line| positions.get(line));
        for &new_at in candidates.into_iter().flatten() {
            if new_at < new_from || new_at >= new_to {
                continue;
            }
            let before = new_at.checked_sub(1).and_then(|before| lengths.get(&before));
            let length = before.copied().unwrap_or_default() + 1;
            next.insert(new_at, length);
            if length > best.length {
                best = Block {
                    old: at + 1 - length,
                    new: new_at + 1 - length,
                    length,
                };
            }
        }
        lengths = next;
    }
    while best.old > old_from && best.new > new_from && old.get(best.old - 1) == new.get(best.new - 1) {
        best = Block {
            old: best.old - 1,
            new: best.new - 1,
            length: best.length + 1,
        };
    }
    while best.old + best.length < old_to
        && best.new + best.length < new_to
        && old.get(best.old + best.length) == new.get(best.new + best.length)
    {
        best.length += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shows_what_changed_with_the_lines_around_it() {
        let old = json!({"name": "a", "resourceClaimName": "x"});
        let new = json!({"name": "a", "resourceClaimName": "y"});
        assert_eq!(
            diff("PodResourceClaim", &old, &new),
            "@@ -1,5 +1,5 @@\n {\n  \"Name\": \"a\",\n- \"ResourceClaimName\": \"x\",\n+ \"ResourceClaimName\": \"y\",\n  \"ResourceClaimTemplateName\": null\n }\n"
        );
    }

    #[test]
    fn far_changes_stand_in_hunks_of_their_own() {
        let old: Vec<String> = (0..20).map(|line| line.to_string()).collect();
        let mut new = old.clone();
        new[2] = "x".to_owned();
        new.remove(17);
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        assert_eq!(
            unified(&old, &new),
            "@@ -1,6 +1,6 @@\n 0\n 1\n-2\n+x\n 3\n 4\n 5\n@@ -15,6 +15,5 @@\n 14\n 15\n 16\n-17\n 18\n 19\n"
        );
    }

    #[test]
    fn braces_in_texts_do_not_break_lines() {
        assert_eq!(
            indented(r#"{"a":"{,:","b":[],"c":[1]}"#),
            "{\n \"a\": \"{,:\",\n \"b\": [],\n \"c\": [\n  1\n ]\n}"
        );
    }
}
