//! Which clusters there are and who may write to them: what the committer knows without asking the file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use warren_apimachinery::{ClusterId, Revision};
use warren_storage::{Epoch, JournalError};

use crate::failure::of_sqlite;

/// One cluster. About 100 bytes: it is kept for every cluster, asleep or not.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) row: i64,
    pub(crate) base: Option<ClusterId>,
    /// How many clusters stand on it; sealed while there are any.
    pub(crate) children: usize,
    /// Whoever opened it last in this process.
    pub(crate) owner: Option<Owner>,
    /// The highest durable revision, where it was asked for since the file was opened.
    pub(crate) last: Option<Revision>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) epoch: Epoch,
    pub(crate) failed: bool,
}

/// Written by the committer only; others list names.
#[derive(Debug, Default)]
pub(crate) struct Catalog(Mutex<BTreeMap<ClusterId, Entry>>);

impl Catalog {
    pub(crate) fn load(connection: &Connection) -> Result<Self, JournalError> {
        let read = || -> rusqlite::Result<Vec<(i64, ClusterId, Option<i64>)>> {
            let mut select = connection.prepare("SELECT id, name, base FROM clusters")?;
            let rows = select.query_map([], |row| {
                Ok((row.get(0)?, ClusterId::new(row.get::<_, String>(1)?), row.get(2)?))
            })?;
            rows.collect()
        };
        let rows = read().map_err(of_sqlite)?;
        let names: BTreeMap<i64, ClusterId> =
            rows.iter().map(|(row, name, _)| (*row, name.clone())).collect();
        let mut clusters = BTreeMap::new();
        for (row, name, base) in &rows {
            let entry = Entry {
                row: *row,
                base: base.and_then(|base| names.get(&base).cloned()),
                children: 0,
                owner: None,
                last: None,
            };
            clusters.insert(name.clone(), entry);
        }
        for base in rows.iter().filter_map(|(_, _, base)| names.get(base.as_ref()?)) {
            if let Some(entry) = clusters.get_mut(base) {
                entry.children += 1;
            }
        }
        Ok(Self(Mutex::new(clusters)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<ClusterId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, cluster: &ClusterId) -> Result<Entry, JournalError> {
        let entry = self.lock().get(cluster).cloned();
        entry.ok_or_else(|| JournalError::UnknownCluster(cluster.clone()))
    }

    /// Sets or removes an entry; returns what undoes that.
    pub(crate) fn replace(&self, cluster: &ClusterId, entry: Option<Entry>) -> Undo {
        let mut clusters = self.lock();
        let before = match entry {
            Some(entry) => clusters.insert(cluster.clone(), entry),
            None => clusters.remove(cluster),
        };
        Undo {
            cluster: cluster.clone(),
            before,
        }
    }

    /// Takes changes back, the last one first.
    pub(crate) fn undo(&self, changes: Vec<Undo>) {
        let mut clusters = self.lock();
        for change in changes.into_iter().rev() {
            match change.before {
                Some(entry) => clusters.insert(change.cluster, entry),
                None => clusters.remove(&change.cluster),
            };
        }
    }
}

/// An entry as it was before a change.
pub(crate) struct Undo {
    cluster: ClusterId,
    before: Option<Entry>,
}
