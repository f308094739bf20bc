//! Making, removing and fencing clusters, inside the committer's transaction. Each is refused before it has written
//! anything, and leaves behind what takes its change of the catalog back.

use rusqlite::params;
use warren_apimachinery::{ClusterId, Revision};
use warren_storage::JournalError;

use crate::catalog::{Entry, Owner, Undo};
use crate::committer::{Committer, Outcome, Refusal, number};

impl Committer {
    pub(crate) fn create(
        &mut self,
        cluster: &ClusterId,
        base: Option<&ClusterId>,
        undo: &mut Vec<Undo>,
    ) -> rusqlite::Result<Refusal<Outcome>> {
        let catalog = &self.shared.catalog;
        if catalog.find(cluster).is_ok() {
            return Ok(Err(JournalError::Exists(cluster.clone())));
        }
        let mut below = match base.map(|base| catalog.find(base)).transpose() {
            Ok(below) => below,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let revision = match &below {
            Some(Entry { last: Some(last), .. }) => *last,
            Some(Entry { row, .. }) => self.last(*row)?,
            None => Revision::ZERO,
        };
        let add = "INSERT INTO clusters (name, base, base_revision, revision) VALUES (?1, ?2, ?3, ?3)";
        let below_row = below.as_ref().map(|below| below.row);
        self.connection.prepare_cached(add)?.execute(params![
            cluster.as_str(),
            below_row,
            number(revision)
        ])?;
        let epoch = self.next_epoch();
        let entry = Entry {
            row: self.connection.last_insert_rowid(),
            base: base.cloned(),
            children: 0,
            owner: Some(Owner { epoch, failed: false }),
            last: Some(revision),
        };
        undo.push(self.shared.catalog.replace(cluster, Some(entry)));
        if let (Some(base), Some(below)) = (base, &mut below) {
            below.children += 1;
            below.last = Some(revision);
            undo.push(self.shared.catalog.replace(base, Some(below.clone())));
        }
        Ok(Ok(Outcome::Created(epoch)))
    }

    pub(crate) fn delete(
        &mut self,
        cluster: &ClusterId,
        undo: &mut Vec<Undo>,
    ) -> rusqlite::Result<Refusal<Outcome>> {
        let catalog = &self.shared.catalog;
        let Ok(entry) = catalog.find(cluster) else {
            return Ok(Ok(Outcome::Deleted));
        };
        if entry.children > 0 {
            return Ok(Err(JournalError::InUse(cluster.clone())));
        }
        self.connection
            .prepare_cached("DELETE FROM clusters WHERE id = ?1")?
            .execute([entry.row])?;
        self.connection
            .prepare_cached("INSERT INTO dropped (id) VALUES (?1)")?
            .execute([entry.row])?;
        undo.push(catalog.replace(cluster, None));
        if let Some(base) = entry.base
            && let Ok(mut below) = catalog.find(&base)
        {
            below.children = below.children.saturating_sub(1);
            undo.push(catalog.replace(&base, Some(below)));
        }
        self.compaction.has_dropped();
        Ok(Ok(Outcome::Deleted))
    }

    pub(crate) fn fence(
        &mut self,
        cluster: &ClusterId,
        undo: &mut Vec<Undo>,
    ) -> rusqlite::Result<Refusal<Outcome>> {
        let mut entry = match self.shared.catalog.find(cluster) {
            Ok(entry) => entry,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let (epoch, row) = (self.next_epoch(), entry.row);
        entry.owner = Some(Owner { epoch, failed: false });
        undo.push(self.shared.catalog.replace(cluster, Some(entry)));
        Ok(Ok(Outcome::Fenced(epoch, row)))
    }
}
