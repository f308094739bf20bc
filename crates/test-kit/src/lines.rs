//! The lines that a running program writes, with a deadline for each look.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

/// Lines of a stream, read by a thread that ends with the stream. Unbounded: tests end soon.
pub struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// Begins to read.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, coming) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            coming,
            seen: Vec::new(),
        }
    }

    /// Reads on until a line is as wanted, and answers it.
    ///
    /// # Errors
    /// When the stream ends or `patience` does; all lines so far are in the error.
    pub fn until(&mut self, patience: Duration, wanted: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.coming.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return Ok(line);
                    }
                }
                Err(end) => bail!("no such line ({end}) among:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// All lines that were read so far.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }
}
