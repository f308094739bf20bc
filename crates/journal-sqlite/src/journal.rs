//! The journal as others see it: opens the directory, owns the threads, hands jobs to the committer.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use warren_apimachinery::ClusterId;
use warren_storage::{Done, Epoch, Journal, JournalError, Opened, Record};

use crate::catalog::Catalog;
use crate::checkpoint::Checkpoint;
use crate::committer::Committer;
use crate::failure::{of_io, of_sqlite};
use crate::load::Loader;
use crate::queue::{Append, Job, Queue};
use crate::schema;

/// The file whose lock says that a process uses the directory.
const LOCK: &str = "lock";

/// How a journal is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The largest size of the data file in pages of 4 KiB; appends beyond fail with `Full`. `None`: the disk's.
    pub max_pages: Option<u32>,
}

/// Clusters in one SQLite file. Dropping it writes what is queued, ends its threads and frees the directory.
pub struct SqliteJournal {
    shared: Arc<Shared>,
    loader: Loader,
    /// The committer and the checkpointer, awaited by `close`.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held while the directory is ours; let go by `close`.
    lock: Mutex<Option<File>>,
}

/// What the journal shares with its threads.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) catalog: Catalog,
    pub(crate) checkpoint: Checkpoint,
}

impl SqliteJournal {
    /// Opens the journal in a directory, which is made if it is not there. Blocks.
    ///
    /// # Errors
    /// `Locked` when another process (or another journal of this one) has it; `Corrupt` when the file is not
    /// a journal, is damaged or is of a later version; `Io`, `Full`.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        Self::open_with(directory, Options::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn open_with(directory: &Path, options: Options) -> Result<Self, JournalError> {
        fs::create_dir_all(directory).map_err(of_io)?;
        let lock = lock_directory(directory)?;
        let connection = schema::writer(directory)?;
        if options.max_pages.is_some() {
            schema::limit(&connection, options.max_pages).map_err(of_sqlite)?;
        }
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            catalog: Catalog::load(&connection)?,
            checkpoint: Checkpoint::default(),
        });
        let committer = Committer::new(connection, Arc::clone(&shared))?;
        let journal = Self {
            shared: Arc::clone(&shared),
            loader: Loader::new(directory.to_owned()),
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        let directory: PathBuf = directory.to_owned();
        journal.spawn("journal", move || committer.run())?;
        journal.spawn("checkpoint", move || shared.checkpoint.run(&directory))?;
        Ok(journal)
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), JournalError> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(of_io)?;
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
        Ok(())
    }

    /// Writes what is queued, refuses what comes later, ends the threads and frees the directory. Blocks.
    pub fn close(&self) {
        self.shared.queue.close();
        self.shared.checkpoint.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // The last owner may be a callback on the committer itself, which ends right after it.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        self.loader.close();
        self.fold();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Puts the log into the file, so that one file is the whole journal. SQLite does so with the last connection, but
    /// two that close at once may each take the other for the last.
    fn fold(&self) {
        let folded = schema::second(self.loader.directory()).and_then(|connection| {
            connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .map_err(of_sqlite)
        });
        if let Err(error) = folded {
            // Nothing is lost: the log stays beside the file and is read with it.
            tracing::debug!(%error, "the write-ahead log stays beside the data file");
        }
    }

    /// Removes everything superseded, now. Blocks until it is done; meanwhile writes go on.
    ///
    /// # Errors
    /// `Closed`, also when the compaction failed (it is tried again later).
    pub fn compact(&self) -> Result<(), JournalError> {
        self.ask(|reply| Job::Compact { reply })
    }

    /// Lets the data file grow as far as that from now on, as [`Options::max_pages`] does from the start; one that
    /// is larger already stays as it is. Blocks.
    ///
    /// # Errors
    /// `Closed`; the store's failure.
    pub fn limit(&self, max_pages: Option<u32>) -> Result<(), JournalError> {
        self.ask(|reply| Job::Limit {
            pages: max_pages,
            reply,
        })
    }

    fn ask<T>(&self, job: impl FnOnce(Sender<Result<T, JournalError>>) -> Job) -> Result<T, JournalError> {
        let (reply, answer) = mpsc::channel();
        self.shared.queue.push(job(reply));
        answer.recv().unwrap_or(Err(JournalError::Closed))
    }
}

fn lock_directory(directory: &Path) -> Result<File, JournalError> {
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK));
    let lock = lock.map_err(of_io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked),
        Err(TryLockError::Error(error)) => Err(of_io(error)),
    }
}

impl Journal for SqliteJournal {
    fn create(&self, cluster: &ClusterId, base: Option<&ClusterId>) -> Result<Epoch, JournalError> {
        self.ask(|reply| Job::Create {
            cluster: cluster.clone(),
            base: base.cloned(),
            reply,
        })
    }

    fn open(&self, cluster: &ClusterId) -> Result<Opened, JournalError> {
        let (epoch, row) = self.ask(|reply| Job::Fence {
            cluster: cluster.clone(),
            reply,
        })?;
        let loaded = self.loader.load(cluster, row)?;
        Ok(Opened {
            epoch,
            revision: loaded.revision,
            objects: loaded.into_objects()?,
        })
    }

    fn append(&self, cluster: &ClusterId, epoch: Epoch, records: Vec<Record>, done: Done) {
        self.shared.queue.push(Job::Append(Append {
            cluster: cluster.clone(),
            epoch,
            records,
            done,
        }));
    }

    fn has_room(&self) -> bool {
        self.shared.queue.has_room()
    }

    fn delete(&self, cluster: &ClusterId) -> Result<(), JournalError> {
        self.ask(|reply| Job::Delete {
            cluster: cluster.clone(),
            reply,
        })
    }

    fn clusters(&self) -> Result<Vec<ClusterId>, JournalError> {
        Ok(self.shared.catalog.lock().keys().cloned().collect())
    }

    fn close(&self) {
        SqliteJournal::close(self);
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal")
            .field("clusters", &self.shared.catalog.lock().len())
            .finish_non_exhaustive()
    }
}
