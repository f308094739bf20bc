//! What is printed.

use std::io::{self, Write};

/// Writes a line of results. A reader that went away is not an error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Writes a line about the run.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
