//! Standard output and standard error: plain lines, coloured only for people.

use std::io::{self, IsTerminal, Write};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Done.
    Good,
    /// Went wrong.
    Bad,
    /// Worth a look.
    Notice,
    /// A command to type.
    Command,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32;1",
            Self::Bad => "31;1",
            Self::Notice => "33;1",
            Self::Command => "36",
        }
    }
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// For a person at a terminal.
    Colour,
    /// For a file, a pipe, or somebody who asked for none.
    Plain,
}

impl Paint {
    /// What standard output may carry.
    pub(crate) fn of_output() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    /// What standard error may carry.
    pub(crate) fn of_error() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    fn of(is_terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if is_terminal && !set("NO_COLOR") && !dumb {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    /// The text, in the tone's colour where that is allowed.
    pub(crate) fn text(self, tone: Tone, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code()),
        }
    }
}

/// Writes a line to standard output. A reader that went away (`warren list | head -1`) is not an error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Something went not as wanted, but the command goes on.
pub(crate) fn warn(line: &str) {
    tell(&format!(
        "{} {line}",
        Paint::of_error().text(Tone::Notice, "Warning:")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_carries_no_codes() {
        assert_eq!(Paint::Plain.text(Tone::Bad, "x"), "x");
        assert_eq!(Paint::Colour.text(Tone::Bad, "x"), "\u{1b}[31;1mx\u{1b}[0m");
    }
}
