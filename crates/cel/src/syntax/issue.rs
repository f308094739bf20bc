//! What is wrong with an expression, and where: upstream's texts with the line and a caret below it.

use std::fmt::Write;

/// How many faults are listed.
const MOST: usize = 100;
/// The longest line that is shown with a fault.
const LONGEST_LINE: usize = 16_384;

/// One fault, at a character of the source; `None` for one of the whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) offset: Option<usize>,
    pub(crate) message: String,
}

/// Faults in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    all: Vec<Issue>,
    more: usize,
}

impl Issues {
    pub(crate) fn report(&mut self, offset: usize, message: impl Into<String>) {
        self.add(Some(offset), message.into());
    }

    /// A fault that is nowhere in particular.
    pub(crate) fn report_whole(&mut self, message: impl Into<String>) {
        self.add(None, message.into());
    }

    fn add(&mut self, offset: Option<usize>, message: String) {
        if self.all.len() >= MOST {
            self.more += 1;
            return;
        }
        self.all.push(Issue { offset, message });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The text that upstream answers with.
    pub(crate) fn render(mut self, source: &str) -> String {
        self.all.sort_by_key(|issue| issue.offset);
        let shown: Vec<String> = self.all.iter().map(|issue| show(issue, source)).collect();
        let mut text = shown.join("\n");
        if self.more > 0 {
            let _ = write!(text, "\n{} more errors were truncated", self.more);
        }
        text
    }
}

fn show(issue: &Issue, source: &str) -> String {
    let Some(offset) = issue.offset else {
        return format!("ERROR: <input>:-1:0: {}", issue.message);
    };
    if source.is_empty() {
        return format!("ERROR: <input>:1:0: {}", issue.message);
    }
    let before: String = source.chars().take(offset).collect();
    let line = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let mut text = format!("ERROR: <input>:{}:{}: {}", line + 1, column + 1, issue.message);
    let snippet = source
        .split('\n')
        .nth(line)
        .filter(|snippet| snippet.len() <= LONGEST_LINE);
    if let Some(snippet) = snippet {
        let snippet = snippet.replace('\t', " ");
        let mut chars = snippet.chars();
        let dots = chars.by_ref().take(column);
        let dots: String = dots
            .map(|c| if c.is_ascii() { '.' } else { '\u{ff0e}' })
            .collect();
        let caret = if chars.next().is_none_or(|c| c.is_ascii()) {
            '^'
        } else {
            '\u{ff3e}'
        };
        let _ = write!(text, "\n | {snippet}\n | {dots}{caret}");
    }
    text
}
