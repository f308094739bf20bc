//! A journal in memory: for tests, and for clusters that need not survive their process.
//!
//! Has no thread: an append is carried out by whoever calls it, or by the one who is at it already.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Revision};

use crate::journal::{Done, Epoch, Journal, JournalError, Opened, Record, rising};
use crate::lock::lock;

/// Clusters in memory. A clone is another opening of the same data, as a restart would make.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    data: Arc<Mutex<Data>>,
}

#[derive(Default)]
struct Data {
    clusters: BTreeMap<ClusterId, Kept>,
    epoch: u64,
    /// Appends in order. Bounded by their writers, each of whom waits for its own.
    queue: VecDeque<Append>,
    /// Whether someone works on the queue; `done` may append again, and must not recurse.
    draining: bool,
    fault: Option<JournalError>,
}

struct Append {
    cluster: ClusterId,
    epoch: Epoch,
    records: Vec<Record>,
    done: Done,
}

/// One cluster. The objects of its base are shared by pointer, so that it needs no reference to the base.
#[derive(Default)]
struct Kept {
    objects: BTreeMap<(GroupResource, ObjectKey), Arc<Object>>,
    revision: Revision,
    epoch: Epoch,
    failed: bool,
    base: Option<ClusterId>,
    /// How many clusters have it as their base; it is sealed while there are any.
    children: usize,
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data")
            .field("clusters", &self.clusters.len())
            .finish_non_exhaustive()
    }
}

impl MemoryJournal {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets every append fail with `error` from now on, or work again: a database that breaks.
    pub fn break_with(&self, error: Option<JournalError>) {
        lock(&self.data).fault = error;
    }

    /// Holds appends back until the guard is dropped: a database that is slow.
    pub fn stall(&self) -> Stall {
        lock(&self.data).draining = true;
        Stall {
            journal: self.clone(),
        }
    }

    fn drain(&self) {
        loop {
            let mut data = lock(&self.data);
            let Some(append) = data.queue.pop_front() else {
                data.draining = false;
                return;
            };
            let result = data.apply(&append);
            drop(data);
            (append.done)(result);
        }
    }
}

/// While it lives, appends wait.
#[derive(Debug)]
pub struct Stall {
    journal: MemoryJournal,
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.journal.drain();
    }
}

impl Data {
    fn next_epoch(&mut self) -> Epoch {
        self.epoch += 1;
        Epoch(self.epoch)
    }

    fn apply(&mut self, append: &Append) -> Result<(), JournalError> {
        let fault = self.fault.clone();
        let name = &append.cluster;
        let cluster = self
            .clusters
            .get_mut(name)
            .ok_or_else(|| JournalError::UnknownCluster(name.clone()))?;
        if cluster.failed || cluster.epoch != append.epoch {
            return Err(JournalError::Fenced(name.clone()));
        }
        let checked = match fault {
            Some(error) => Err(error),
            None if cluster.children > 0 => Err(JournalError::InUse(name.clone())),
            None => rising(name, cluster.revision, &append.records),
        };
        if let Err(error) = checked {
            cluster.failed = true;
            return Err(error);
        }
        for record in &append.records {
            let at = (record.resource.clone(), record.key.clone());
            match &record.object {
                Some(object) => cluster.objects.insert(at, Arc::clone(object)),
                None => cluster.objects.remove(&at),
            };
            cluster.revision = record.revision;
        }
        Ok(())
    }
}

impl Journal for MemoryJournal {
    fn create(&self, cluster: &ClusterId, base: Option<&ClusterId>) -> Result<Epoch, JournalError> {
        let mut data = lock(&self.data);
        if data.clusters.contains_key(cluster) {
            return Err(JournalError::Exists(cluster.clone()));
        }
        let mut kept = Kept {
            epoch: data.next_epoch(),
            base: base.cloned(),
            ..Kept::default()
        };
        if let Some(base) = base {
            let below = data
                .clusters
                .get_mut(base)
                .ok_or_else(|| JournalError::UnknownCluster(base.clone()))?;
            below.children += 1;
            kept.objects = below.objects.clone();
            kept.revision = below.revision;
        }
        let epoch = kept.epoch;
        data.clusters.insert(cluster.clone(), kept);
        Ok(epoch)
    }

    fn open(&self, cluster: &ClusterId) -> Result<Opened, JournalError> {
        let mut data = lock(&self.data);
        let epoch = data.next_epoch();
        let kept = data
            .clusters
            .get_mut(cluster)
            .ok_or_else(|| JournalError::UnknownCluster(cluster.clone()))?;
        kept.epoch = epoch;
        kept.failed = false;
        let objects = kept.objects.iter();
        Ok(Opened {
            epoch,
            revision: kept.revision,
            objects: objects
                .map(|((resource, _), object)| (resource.clone(), Arc::clone(object)))
                .collect(),
        })
    }

    fn append(&self, cluster: &ClusterId, epoch: Epoch, records: Vec<Record>, done: Done) {
        let mut data = lock(&self.data);
        data.queue.push_back(Append {
            cluster: cluster.clone(),
            epoch,
            records,
            done,
        });
        if !data.draining {
            data.draining = true;
            drop(data);
            self.drain();
        }
    }

    fn delete(&self, cluster: &ClusterId) -> Result<(), JournalError> {
        let mut data = lock(&self.data);
        if data.clusters.get(cluster).is_some_and(|kept| kept.children > 0) {
            return Err(JournalError::InUse(cluster.clone()));
        }
        let base = data.clusters.remove(cluster).and_then(|kept| kept.base);
        if let Some(base) = base.and_then(|base| data.clusters.get_mut(&base)) {
            base.children -= 1;
        }
        Ok(())
    }

    fn clusters(&self) -> Result<Vec<ClusterId>, JournalError> {
        Ok(lock(&self.data).clusters.keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Scratch;

    impl Scratch for MemoryJournal {
        fn open(&self) -> Arc<dyn Journal> {
            Arc::new(self.clone())
        }

        fn restart(&self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
            drop(journal);
            Scratch::open(self)
        }
    }

    crate::journal_contract!(MemoryJournal::new);
}
