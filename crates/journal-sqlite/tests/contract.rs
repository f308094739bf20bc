//! The contract suite of the `Journal` port, over SQLite.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;
use warren_journal_sqlite::SqliteJournal;
use warren_storage::Journal;
use warren_storage::contract::Scratch;

struct Directory {
    path: TempDir,
    journal: Mutex<Weak<SqliteJournal>>,
}

fn directory() -> Directory {
    Directory {
        path: tempfile::tempdir().unwrap(),
        journal: Mutex::default(),
    }
}

impl Scratch for Directory {
    fn open(&self) -> Arc<dyn Journal> {
        let journal = Arc::new(SqliteJournal::open(self.path.path()).unwrap());
        *self.journal.lock().unwrap() = Arc::downgrade(&journal);
        journal
    }

    fn restart(&self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        // Frees the directory: nobody else holds the journal.
        drop(journal);
        self.open()
    }

    fn compact(&self, _journal: &Arc<dyn Journal>) {
        self.journal.lock().unwrap().upgrade().unwrap().compact().unwrap();
    }
}

warren_storage::journal_contract!(directory);
