//! Waiting for a level with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

const PAUSE: Duration = Duration::from_millis(25);

/// Looks again and again until `look` answers something, for at most `patience`. What it last complained of is in the
/// error.
///
/// # Errors
/// The last one of `look`.
pub fn eventually<T>(patience: Duration, mut look: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match look() {
            Ok(seen) => return Ok(seen),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("not so within {patience:?}"));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
