//! Removes what is superseded: walks the log once, from the oldest record that was not looked at, and sweeps the
//! records of removed clusters. Every step is one short transaction; one that is lost is done again.
//!
//! A record removes the one that it supersedes. A tombstone then removes itself, once its revision is kept in
//! `clusters`, unless it hides an object of the base: that one stays for as long as its cluster.

use rusqlite::{Connection, OptionalExtension, params};

/// Records looked at in one transaction, so that a write that comes meanwhile waits for milliseconds.
const STEP: usize = 256;
/// From here on it does not wait for quiet.
const MUCH: i64 = 4096;
/// From here on every group of writes is followed by twice as much compaction, so that the file stays bounded.
const OVERDUE: i64 = 32_768;
/// Likewise, of removed clusters that are not swept yet.
const OVERDUE_CLUSTERS: i64 = 1024;

const NEXT: &str = "SELECT l.seq, l.cluster, l.revision, l.supersedes, l.object IS NULL, c.base_revision \
    FROM log l LEFT JOIN clusters c ON c.id = l.cluster WHERE l.seq > ?1 ORDER BY l.seq LIMIT ?2";
const SUPERSEDE: &str = "DELETE FROM log WHERE cluster = ?1 AND revision = ?2 RETURNING covers";

pub(crate) struct Compaction {
    /// Through which `seq` the log was looked at.
    through: i64,
    /// How many removed clusters may have records left.
    dropped: i64,
}

/// A record that supersedes another.
struct Superseding {
    seq: i64,
    cluster: i64,
    revision: i64,
    supersedes: Option<i64>,
    is_tombstone: bool,
    /// `None` when its cluster was removed: the sweep will have it.
    base_revision: Option<i64>,
}

impl Compaction {
    /// Where the last process ended, and the next free `seq`.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<(Self, i64)> {
        let through: i64 = connection.query_row("SELECT compacted FROM state", [], |row| row.get(0))?;
        let last: i64 =
            connection.query_row("SELECT coalesce(max(seq), 0) FROM log", [], |row| row.get(0))?;
        let dropped = connection.query_row("SELECT count(*) FROM dropped", [], |row| row.get(0))?;
        let compaction = Self { through, dropped };
        Ok((compaction, last.max(through) + 1))
    }

    pub(crate) fn has_dropped(&mut self) {
        self.dropped += 1;
    }

    fn backlog(&self, next_seq: i64) -> i64 {
        next_seq - 1 - self.through
    }

    pub(crate) fn is_done(&self, next_seq: i64) -> bool {
        self.dropped <= 0 && self.backlog(next_seq) <= 0
    }

    pub(crate) fn is_much(&self, next_seq: i64) -> bool {
        self.backlog(next_seq) >= MUCH
    }

    pub(crate) fn is_overdue(&self, next_seq: i64) -> bool {
        self.backlog(next_seq) >= OVERDUE || self.dropped >= OVERDUE_CLUSTERS
    }

    /// One transaction's worth of work. Every record of the log is below `next_seq`.
    pub(crate) fn step(
        &mut self,
        connection: &Connection,
        next_seq: i64,
        at_most: usize,
    ) -> rusqlite::Result<()> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let (through, dropped) = (self.through, self.dropped);
        let step = self.work(connection, next_seq, at_most.min(STEP));
        let step = step.and_then(|()| connection.prepare_cached("COMMIT")?.execute([]).map(drop));
        if step.is_err() {
            // Fails when SQLite has rolled back by itself.
            let _ = connection.execute_batch("ROLLBACK");
            (self.through, self.dropped) = (through, dropped);
        }
        step
    }

    fn work(&mut self, connection: &Connection, next_seq: i64, at_most: usize) -> rusqlite::Result<()> {
        if self.dropped > 0 {
            self.dropped = sweep(connection, at_most)?;
            return Ok(());
        }
        let records = next(connection, self.through, at_most)?;
        for record in &records {
            record.compact(connection)?;
        }
        // What was removed meanwhile leaves gaps, so the end is known by finding nothing.
        self.through = records.last().map_or(next_seq - 1, |last| last.seq);
        connection
            .prepare_cached("UPDATE state SET compacted = ?1")?
            .execute([self.through])?;
        Ok(())
    }
}

fn next(connection: &Connection, after: i64, at_most: usize) -> rusqlite::Result<Vec<Superseding>> {
    let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(NEXT)?;
    let rows = select.query_map([after, at_most], |row| {
        Ok(Superseding {
            seq: row.get(0)?,
            cluster: row.get(1)?,
            revision: row.get(2)?,
            supersedes: row.get(3)?,
            is_tombstone: row.get(4)?,
            base_revision: row.get(5)?,
        })
    })?;
    rows.collect()
}

impl Superseding {
    fn compact(&self, connection: &Connection) -> rusqlite::Result<()> {
        let (Some(supersedes), Some(base_revision)) = (self.supersedes, self.base_revision) else {
            return Ok(());
        };
        let mut supersede = connection.prepare_cached(SUPERSEDE)?;
        let covered: Option<bool> = supersede
            .query_row([self.cluster, supersedes], |row| row.get(0))
            .optional()?;
        if supersedes <= base_revision || covered == Some(true) {
            let mark = "UPDATE log SET covers = 1 WHERE seq = ?1";
            connection.prepare_cached(mark)?.execute([self.seq])?;
        } else if self.is_tombstone {
            let remember = "UPDATE clusters SET revision = max(revision, ?2) WHERE id = ?1";
            connection
                .prepare_cached(remember)?
                .execute(params![self.cluster, self.revision])?;
            connection
                .prepare_cached("DELETE FROM log WHERE seq = ?1")?
                .execute([self.seq])?;
        }
        Ok(())
    }
}

/// Removes records of removed clusters; returns how many of those are left.
fn sweep(connection: &Connection, at_most: usize) -> rusqlite::Result<i64> {
    let mut left = i64::try_from(at_most).unwrap_or(i64::MAX);
    while left > 0 {
        let first = "SELECT id FROM dropped LIMIT 1";
        let cluster: Option<i64> = connection
            .prepare_cached(first)?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(cluster) = cluster else { return Ok(0) };
        let remove = "DELETE FROM log WHERE seq IN (SELECT seq FROM log WHERE cluster = ?1 LIMIT ?2)";
        let removed = connection.prepare_cached(remove)?.execute([cluster, left])?;
        let removed = i64::try_from(removed).unwrap_or(i64::MAX);
        if removed < left {
            connection
                .prepare_cached("DELETE FROM dropped WHERE id = ?1")?
                .execute([cluster])?;
        }
        // A cluster without records costs something too.
        left -= removed.max(1);
    }
    connection
        .prepare_cached("SELECT count(*) FROM dropped")?
        .query_row([], |row| row.get(0))
}
