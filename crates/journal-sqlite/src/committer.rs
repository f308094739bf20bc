//! The one thread that writes: takes what waits, writes it as one transaction, tells everyone.
//!
//! A job that is refused (fenced, out of order, unknown) is refused before it has written anything, so that it
//! costs the others of its group nothing. When the transaction itself fails, its jobs are tried one by one, so
//! that only those fail that cannot be written.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};
use warren_apimachinery::{GroupResource, Revision};
use warren_storage::{Epoch, JournalError, Record, fields_to_text, journal::rising};

use crate::catalog::{Entry, Undo};
use crate::compaction::Compaction;
use crate::failure::of_sqlite;
use crate::journal::Shared;
use crate::queue::{Append, Job, Taken};
use crate::schema;

const INSERT: &str = "INSERT INTO log (seq, cluster, revision, supersedes, resource, namespace, name, fields, \
    object) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const LAST: &str = "SELECT max(c.revision, coalesce((SELECT max(l.revision) FROM log l WHERE l.cluster = c.id), 0)) \
    FROM clusters c WHERE c.id = ?1";
/// How long nothing must have happened before the log is compacted, unless much is to be done.
const QUIET: Duration = Duration::from_millis(500);
/// After a failed compaction, so that a full disk is not hammered.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// A job's own failure, which leaves the transaction as it was.
pub(crate) type Refusal<T> = Result<T, JournalError>;

/// What a job answers once its transaction is durable.
pub(crate) enum Outcome {
    Appended,
    Created(Epoch),
    Deleted,
    Fenced(Epoch, i64),
    Limited,
    Compacting,
}

pub(crate) struct Committer {
    pub(crate) connection: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) compaction: Compaction,
    /// The next record's place in the log.
    next_seq: i64,
    /// Numbers of resources that are known to be in the file.
    resources: HashMap<GroupResource, i64>,
    /// The number of this opening of the file, and of the openings of clusters in it.
    opening: u64,
    epochs: u64,
    /// Who waits for the compaction to end.
    compactors: Vec<Sender<Result<(), JournalError>>>,
    paused_until: Option<Instant>,
}

impl Committer {
    /// Counts this opening in the file, so that its epochs are above all earlier ones.
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>) -> Result<Self, JournalError> {
        let count = "UPDATE state SET opened = opened + 1 RETURNING opened";
        let opening: i64 = connection
            .query_row(count, [], |row| row.get(0))
            .map_err(of_sqlite)?;
        let (compaction, next_seq) = Compaction::load(&connection).map_err(of_sqlite)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self {
            connection,
            shared,
            compaction,
            next_seq,
            resources: HashMap::new(),
            opening: opening.unsigned_abs(),
            epochs: 0,
            compactors: Vec::new(),
            paused_until: None,
        })
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _end = End(&shared);
        loop {
            match shared.queue.take(self.patience()) {
                Taken::Group(jobs) => {
                    let records = jobs.iter().map(Job::records).sum();
                    let bytes = jobs.iter().map(Job::bytes).sum();
                    self.commit(jobs);
                    shared.checkpoint.written(records, bytes, &self.connection);
                    if self.compaction.is_overdue(self.next_seq) {
                        self.compact(records * 2);
                    }
                }
                Taken::Idle => self.compact(usize::MAX),
                Taken::End => break,
            }
        }
        for waiting in self.compactors {
            let _ = waiting.send(Err(JournalError::Closed));
        }
    }

    /// How long to wait for jobs before the log is compacted; `None` when there is nothing to compact.
    fn patience(&mut self) -> Option<Duration> {
        if self.compaction.is_done(self.next_seq) {
            for waiting in self.compactors.drain(..) {
                let _ = waiting.send(Ok(()));
            }
            return None;
        }
        if let Some(until) = self.paused_until {
            return Some(until.saturating_duration_since(Instant::now()));
        }
        let urgent = !self.compactors.is_empty() || self.compaction.is_much(self.next_seq);
        Some(if urgent { Duration::ZERO } else { QUIET })
    }

    fn compact(&mut self, at_most: usize) {
        if self.paused_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.paused_until = None;
        if let Err(error) = self.compaction.step(&self.connection, self.next_seq, at_most) {
            tracing::warn!(%error, "the journal could not be compacted; trying again later");
            self.paused_until = Some(Instant::now() + AFTER_FAILURE);
            for waiting in self.compactors.drain(..) {
                let _ = waiting.send(Err(JournalError::Closed));
            }
        }
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        match self.attempt(&jobs) {
            Ok(outcomes) => self.answer(jobs, outcomes),
            Err(_) if jobs.len() > 1 => {
                for job in jobs {
                    self.commit(vec![job]);
                }
            }
            Err(error) => {
                let error = of_sqlite(error);
                tracing::error!(%error, "a write to the journal failed");
                for job in jobs {
                    if let Job::Append(append) = &job {
                        self.give_up(append);
                    }
                    job.refuse(error.clone());
                }
            }
        }
    }

    /// One transaction; `Err` when it failed as a whole and nothing of it happened.
    fn attempt(&mut self, jobs: &[Job]) -> rusqlite::Result<Vec<Refusal<Outcome>>> {
        let first_seq = self.next_seq;
        let mut undo = Vec::new();
        let attempt = self.transact(jobs, &mut undo);
        if attempt.is_err() {
            // Fails when SQLite has rolled back by itself.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.shared.catalog.undo(undo);
            self.resources.clear();
            self.next_seq = first_seq;
        }
        attempt
    }

    fn transact(&mut self, jobs: &[Job], undo: &mut Vec<Undo>) -> rusqlite::Result<Vec<Refusal<Outcome>>> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let outcomes = jobs
            .iter()
            .map(|job| self.apply(job, undo))
            .collect::<Result<Vec<_>, _>>()?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(outcomes)
    }

    fn apply(&mut self, job: &Job, undo: &mut Vec<Undo>) -> rusqlite::Result<Refusal<Outcome>> {
        match job {
            Job::Append(append) => self.append(append, undo),
            Job::Create { cluster, base, .. } => self.create(cluster, base.as_ref(), undo),
            Job::Delete { cluster, .. } => self.delete(cluster, undo),
            Job::Fence { cluster, .. } => self.fence(cluster, undo),
            Job::Limit { pages, .. } => {
                schema::limit(&self.connection, *pages).map(|()| Ok(Outcome::Limited))
            }
            Job::Compact { .. } => Ok(Ok(Outcome::Compacting)),
        }
    }

    fn append(&mut self, append: &Append, undo: &mut Vec<Undo>) -> rusqlite::Result<Refusal<Outcome>> {
        let mut entry = match self.shared.catalog.find(&append.cluster) {
            Ok(entry) => entry,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let last = match entry.last {
            Some(last) => last,
            None => self.last(entry.row)?,
        };
        if let Err(refusal) = admits(&entry, append, last) {
            if let Some(owner) = entry.owner.as_mut().filter(|owner| owner.epoch == append.epoch) {
                owner.failed = true;
                undo.push(self.shared.catalog.replace(&append.cluster, Some(entry)));
            }
            return Ok(Err(refusal));
        }
        for record in &append.records {
            self.insert(entry.row, record)?;
        }
        entry.last = append.records.last().map(|record| record.revision).or(Some(last));
        undo.push(self.shared.catalog.replace(&append.cluster, Some(entry)));
        Ok(Ok(Outcome::Appended))
    }

    fn insert(&mut self, cluster: i64, record: &Record) -> rusqlite::Result<()> {
        let resource = self.resource(&record.resource)?;
        let object = record.object.as_deref();
        let bytes = object.map(|object| object.bytes());
        self.connection.prepare_cached(INSERT)?.execute(params![
            self.next_seq,
            cluster,
            number(record.revision),
            record.supersedes.map(number),
            resource,
            record.key.namespace.as_str(),
            record.key.name.as_str(),
            object.and_then(|object| fields_to_text(&object.meta().fields)),
            bytes.as_deref(),
        ])?;
        self.next_seq += 1;
        Ok(())
    }

    fn resource(&mut self, resource: &GroupResource) -> rusqlite::Result<i64> {
        if let Some(id) = self.resources.get(resource) {
            return Ok(*id);
        }
        let names = params![resource.group.as_str(), resource.resource.as_str()];
        let add = "INSERT INTO resources (api_group, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection.execute(add, names)?;
        let find = "SELECT id FROM resources WHERE api_group = ?1 AND name = ?2";
        let id = self.connection.query_row(find, names, |row| row.get(0))?;
        self.resources.insert(resource.clone(), id);
        Ok(id)
    }

    pub(crate) fn next_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch((self.opening << 32) + self.epochs)
    }

    /// The highest durable revision of a cluster, tombstones included.
    pub(crate) fn last(&self, row: i64) -> rusqlite::Result<Revision> {
        let last: Option<i64> = self
            .connection
            .prepare_cached(LAST)?
            .query_row([row], |row| row.get(0))
            .optional()?;
        Ok(Revision(last.unwrap_or_default().unsigned_abs()))
    }

    /// An append failed in the file: whether its last revision is there is asked again when it matters.
    fn give_up(&self, append: &Append) {
        if let Some(entry) = self.shared.catalog.lock().get_mut(&append.cluster) {
            entry.last = None;
            if let Some(owner) = entry.owner.as_mut().filter(|owner| owner.epoch == append.epoch) {
                owner.failed = true;
            }
        }
    }

    fn answer(&mut self, jobs: Vec<Job>, outcomes: Vec<Refusal<Outcome>>) {
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            // A panic in a caller's code must not end everyone's writes.
            let told = catch_unwind(AssertUnwindSafe(|| tell(job, outcome, &mut self.compactors)));
            if told.is_err() {
                tracing::error!("a callback of the journal panicked");
            }
        }
    }
}

fn tell(job: Job, outcome: Refusal<Outcome>, compactors: &mut Vec<Sender<Result<(), JournalError>>>) {
    match (job, outcome) {
        (job, Err(refusal)) => job.refuse(refusal),
        (Job::Append(append), Ok(Outcome::Appended)) => (append.done)(Ok(())),
        (Job::Create { reply, .. }, Ok(Outcome::Created(epoch))) => drop(reply.send(Ok(epoch))),
        (Job::Fence { reply, .. }, Ok(Outcome::Fenced(epoch, row))) => drop(reply.send(Ok((epoch, row)))),
        (Job::Delete { reply, .. } | Job::Limit { reply, .. }, Ok(_)) => drop(reply.send(Ok(()))),
        (Job::Compact { reply }, Ok(_)) => compactors.push(reply),
        // Each job has the outcome of its own kind; an answer is owed all the same.
        (job, Ok(_)) => job.refuse(JournalError::Closed),
    }
}

/// Whether an append may be written after `last`.
fn admits(entry: &Entry, append: &Append, last: Revision) -> Refusal<()> {
    let owns = entry
        .owner
        .is_some_and(|owner| owner.epoch == append.epoch && !owner.failed);
    if !owns {
        return Err(JournalError::Fenced(append.cluster.clone()));
    }
    if entry.children > 0 {
        return Err(JournalError::InUse(append.cluster.clone()));
    }
    rising(&append.cluster, last, &append.records)
}

/// A revision as SQLite keeps it.
pub(crate) fn number(revision: Revision) -> i64 {
    revision.0.cast_signed()
}

/// However the thread ends, nobody waits for it forever.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
        for job in self.0.queue.take_all() {
            job.refuse(JournalError::Closed);
        }
    }
}
