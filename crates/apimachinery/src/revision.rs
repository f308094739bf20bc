//! The revision of a store: what `metadata.resourceVersion` says.
//!
//! Opaque above `storage`: nobody else parses, compares or invents one.

use std::fmt;

/// A position in the history of one virtual cluster's store. 0 is "before anything".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Before the first write.
    pub const ZERO: Revision = Revision(0);

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Revision {
        Revision(self.0 + 1)
    }

    /// Reads what a client sent as a `resourceVersion`. `None` when it is not a number that a store
    /// gave out.
    pub fn parse(text: &str) -> Option<Revision> {
        text.parse().ok().map(Revision)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
