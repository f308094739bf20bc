//! Where data comes out: `-o`.

use clap::ValueEnum;
use warren_apimachinery::Value;

use crate::terminal::say;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// The objects as the host has them.
    Json,
}

/// Prints a value as JSON for other programs.
pub(crate) fn say_json(value: &Value) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}
