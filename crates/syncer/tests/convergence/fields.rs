//! The committed list of what crosses, `fields.txt`: every line names a test that exists, and every rule has lines.

use std::collections::BTreeSet;
use std::sync::Arc;

use warren_apimachinery::ClusterId;
use warren_syncer::{Binding, Bindings};

const LIST: &str = include_str!("../../fields.txt");
/// Where the tests are.
const PLACES: [&str; 2] = ["src", "tests"];

struct Nobody;

impl Bindings for Nobody {
    fn of_virtual(&self, _: &ClusterId) -> Option<Arc<Binding>> {
        None
    }

    fn of_host(&self, _: &ClusterId, _: &str, _: &str) -> Option<Arc<Binding>> {
        None
    }

    fn on_host(&self, _: &ClusterId) -> Vec<Arc<Binding>> {
        Vec::new()
    }
}

/// rule, kind, direction, field, test
fn lines() -> impl Iterator<Item = [&'static str; 5]> {
    let lines = LIST
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let mut cells = line.split('|').map(str::trim);
        let cells = std::array::from_fn(|_| cells.next().unwrap_or_default());
        assert!(cells.iter().all(|cell| !cell.is_empty()), "five cells: {line}");
        cells
    })
}

fn sources(folder: &std::path::Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|end| end == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_line_names_a_test_that_exists() {
    let mut text = String::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    PLACES
        .iter()
        .for_each(|place| sources(&root.join(place), &mut text));
    for [_, kind, direction, field, test] in lines() {
        assert!(
            text.contains(&format!("fn {test}(")),
            "{kind} {direction} {field}: no test {test}"
        );
        assert!(
            ["to host", "to virtual", "both"].contains(&direction),
            "{direction}"
        );
    }
}

#[test]
fn every_rule_has_lines() {
    let listed: BTreeSet<&str> = lines().map(|[rule, ..]| rule).collect();
    let rules = warren_syncer::all(Arc::new(Nobody));
    let rules: BTreeSet<&str> = rules.iter().map(|rule| rule.name()).collect();
    let missing: Vec<_> = rules.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&rules).collect();
    assert!(missing.is_empty(), "rules without lines: {missing:?}");
    assert!(unknown.is_empty(), "lines without rules: {unknown:?}");
}
