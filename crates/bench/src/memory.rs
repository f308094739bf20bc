//! The memory of a process, as Linux counts it.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::sleep;

/// A change below this is noise.
const NOISE_KIB: u64 = 64;
const PAUSE: Duration = Duration::from_millis(500);

/// Resident memory in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it.
    resident: u64,
    /// What is not pages of files: the binary and its libraries are shared with whoever runs them.
    anonymous: u64,
}

impl Memory {
    /// Of a process of this machine.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("its memory")?;
        Ok(Self {
            resident: kib(&status, "VmRSS:").context("VmRSS")?,
            anonymous: kib(&status, "RssAnon:").context("RssAnon")?,
        })
    }

    /// How much more this is than another, by count, in KiB.
    pub(crate) fn more_than(&self, other: &Self, count: u32) -> f64 {
        let more = u32::try_from(self.resident.saturating_sub(other.resident)).unwrap_or(u32::MAX);
        f64::from(more) / f64::from(count.max(1))
    }

    /// For other programs.
    pub(crate) fn to_json(self) -> Value {
        json!({"residentKiB": self.resident, "anonymousKiB": self.anonymous})
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0;
        write!(
            f,
            "{:.1} MiB resident, of that {:.1} MiB anonymous",
            mib(self.resident),
            mib(self.anonymous)
        )
    }
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The memory once it has stopped to change, or after `patience`.
pub(crate) async fn settled(process: u32, patience: Duration) -> anyhow::Result<Memory> {
    let deadline = Instant::now() + patience;
    let mut last = Memory::of(process)?;
    let mut quiet = 0;
    while quiet < 4 && Instant::now() < deadline {
        sleep(PAUSE).await;
        let now = Memory::of(process)?;
        quiet = if now.resident.abs_diff(last.resident) < NOISE_KIB {
            quiet + 1
        } else {
            0
        };
        last = now;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = "VmHWM:\t   9 kB\nVmRSS:\t   2048 kB\nRssAnon:\t    1024 kB\n";
        assert_eq!(kib(status, "VmRSS:"), Some(2048));
        assert_eq!(kib(status, "RssAnon:"), Some(1024));
        assert_eq!(kib(status, "RssFile:"), None);
    }
}
