//! What waits for the committer.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use warren_apimachinery::ClusterId;
use warren_storage::{Done, Epoch, JournalError, Record};

/// Bytes of objects that may wait. At the bound `has_room` says no; nothing is dropped.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Jobs that may wait, likewise.
const MAX_JOBS: usize = 65_536;
/// Records in one transaction: what is taken at once, so that no write waits long for others' bytes.
const GROUP_RECORDS: usize = 1024;
/// Bytes of objects in one transaction.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Something for the committer to do. Answered exactly once.
pub(crate) enum Job {
    Append(Append),
    Create {
        cluster: ClusterId,
        base: Option<ClusterId>,
        reply: Sender<Result<Epoch, JournalError>>,
    },
    Delete {
        cluster: ClusterId,
        reply: Sender<Result<(), JournalError>>,
    },
    /// Fences earlier owners; answered when all that they wrote is durable, with the cluster's row.
    Fence {
        cluster: ClusterId,
        reply: Sender<Result<(Epoch, i64), JournalError>>,
    },
    /// Answered when the data file may grow as far as that and no further.
    Limit {
        pages: Option<u32>,
        reply: Sender<Result<(), JournalError>>,
    },
    /// Answered when nothing is left to compact.
    Compact {
        reply: Sender<Result<(), JournalError>>,
    },
}

pub(crate) struct Append {
    pub(crate) cluster: ClusterId,
    pub(crate) epoch: Epoch,
    pub(crate) records: Vec<Record>,
    pub(crate) done: Done,
}

impl Job {
    /// Answers with a failure. A caller that went away does not need to know.
    pub(crate) fn refuse(self, error: JournalError) {
        match self {
            Job::Append(append) => (append.done)(Err(error)),
            Job::Create { reply, .. } => drop(reply.send(Err(error))),
            Job::Delete { reply, .. } | Job::Limit { reply, .. } | Job::Compact { reply } => {
                drop(reply.send(Err(error)));
            }
            Job::Fence { reply, .. } => drop(reply.send(Err(error))),
        }
    }

    pub(crate) fn records(&self) -> usize {
        match self {
            Job::Append(append) => append.records.len(),
            _ => 1,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Job::Append(append) => append
                .records
                .iter()
                .filter_map(|r| r.object.as_ref())
                .map(|o| o.size())
                .sum(),
            _ => 0,
        }
    }
}

/// Owned by the journal; its end of life is `close`.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

/// What the committer finds.
pub(crate) enum Taken {
    Group(Vec<Job>),
    /// Nothing came in time.
    Idle,
    /// Closed, and everything was taken.
    End,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, or refuses it when the journal is closed.
    pub(crate) fn push(&self, job: Job) {
        let mut waiting = self.lock();
        if waiting.closed {
            drop(waiting);
            job.refuse(JournalError::Closed);
            return;
        }
        waiting.bytes += job.bytes();
        waiting.jobs.push_back(job);
        let first = waiting.jobs.len() == 1;
        drop(waiting);
        if first {
            self.filled.notify_one();
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        let waiting = self.lock();
        waiting.jobs.len() < MAX_JOBS && waiting.bytes < MAX_BYTES
    }

    /// Takes a group; waits for one, for as long as `patience` says if it says.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return Taken::End;
            }
            waiting = match patience {
                None => self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let woken = self.filled.wait_timeout(waiting, patience);
                    let (waiting, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && waiting.jobs.is_empty() && !waiting.closed {
                        return Taken::Idle;
                    }
                    waiting
                }
            };
        }
        Taken::Group(waiting.take_group())
    }

    /// Refuses what comes from now on; what waits is still done.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Everything that waits, for refusing it.
    pub(crate) fn take_all(&self) -> Vec<Job> {
        self.lock().jobs.drain(..).collect()
    }
}

impl Waiting {
    /// At least one job, however large.
    fn take_group(&mut self) -> Vec<Job> {
        let (mut group, mut records, mut bytes) = (Vec::new(), 0, 0);
        while records < GROUP_RECORDS && bytes < GROUP_BYTES {
            let Some(job) = self.jobs.pop_front() else { break };
            records += job.records();
            bytes += job.bytes();
            group.push(job);
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        group
    }
}
