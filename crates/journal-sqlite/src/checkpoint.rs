//! Copies the write-ahead log into the data file, on a thread and a connection of its own, so that writes do
//! not wait for it.
//!
//! SQLite starts the log anew only when all of it was copied and nobody writes; under steady load that would
//! never be. So once the log is large, the committer copies the little that is left itself, between two
//! transactions.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::schema;

/// Copy after about this much was written.
const EVERY_BYTES: usize = 4 * 1024 * 1024;
/// What a record costs in the log beside its bytes, roughly: its pages are shared with its neighbours'.
const RECORD_OVERHEAD: usize = 1024;
/// Pages in the log from which on the committer helps: 32 MiB.
const LARGE: i64 = 8192;

/// Owned by the journal; ends with `close`.
#[derive(Default)]
pub(crate) struct Checkpoint {
    due: Mutex<Due>,
    changed: Condvar,
    is_large: AtomicBool,
}

#[derive(Default)]
struct Due {
    bytes: usize,
    closed: bool,
}

impl Checkpoint {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by the committer after each transaction, with its own connection.
    pub(crate) fn written(&self, records: usize, bytes: usize, connection: &Connection) {
        let mut due = self.lock();
        due.bytes += bytes + records * RECORD_OVERHEAD;
        let wake = due.bytes >= EVERY_BYTES;
        drop(due);
        if self.is_large.swap(false, Ordering::Relaxed) {
            checkpoint(connection);
        } else if wake {
            self.changed.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The thread's work, until `close`.
    pub(crate) fn run(&self, directory: &Path) {
        let connection = match schema::second(directory) {
            Ok(connection) => connection,
            Err(error) => {
                tracing::error!(%error, "no connection for checkpoints; the write-ahead log will grow");
                return;
            }
        };
        while self.wait() {
            let pages = checkpoint(&connection);
            self.is_large.store(pages > LARGE, Ordering::Relaxed);
        }
    }

    /// Waits until enough was written; `false` at the end.
    fn wait(&self) -> bool {
        let mut due = self.lock();
        while due.bytes < EVERY_BYTES && !due.closed {
            due = self.changed.wait(due).unwrap_or_else(PoisonError::into_inner);
        }
        due.bytes = 0;
        !due.closed
    }
}

/// Copies what can be copied without waiting; returns how many pages the log has.
fn checkpoint(connection: &Connection) -> i64 {
    let pages = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1));
    pages.unwrap_or_else(|error| {
        // The log keeps everything until a later one succeeds.
        tracing::warn!(%error, "a checkpoint failed");
        0
    })
}
