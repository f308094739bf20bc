//! What came of looking at a value, as upstream's validator keeps it: errors, each once, and how many checks passed,
//! by which it tells which of several alternatives was meant.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use warren_apimachinery::field::Error;

/// How many errors are kept: an object of a few megabytes can have a million.
const MOST: usize = 10_000;

/// See the module.
#[derive(Default)]
pub(super) struct Outcome {
    errors: Vec<(u64, Error)>,
    seen: HashSet<u64>,
    passed: u32,
}

impl Outcome {
    /// Counts a check.
    pub(super) fn pass(&mut self) {
        self.passed = self.passed.saturating_add(1);
    }

    pub(super) fn add(&mut self, error: Error) {
        let mut hasher = DefaultHasher::new();
        error.to_string().hash(&mut hasher);
        self.put(hasher.finish(), error);
    }

    fn put(&mut self, identity: u64, error: Error) {
        if self.errors.len() < MOST && self.seen.insert(identity) {
            self.errors.push((identity, error));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        if self.errors.is_empty() {
            self.errors = other.errors;
            self.seen = other.seen;
        } else {
            for (identity, error) in other.errors {
                self.put(identity, error);
            }
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether more checks passed than of another alternative.
    pub(super) fn is_nearer(&self, other: &Self) -> bool {
        self.passed > other.passed
    }

    /// Forgets the errors, not the checks.
    pub(super) fn forgive(&mut self) {
        self.errors.clear();
        self.seen.clear();
    }

    pub(super) fn into_errors(self) -> Vec<Error> {
        self.errors.into_iter().map(|(_, error)| error).collect()
    }
}
