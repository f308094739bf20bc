//! The `Journal` port: where committed writes become durable. Narrow on purpose: load a cluster, append a
//! batch, fence an epoch.

use std::sync::Arc;

use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Revision};

/// One committed write, in the order of its revision.
#[derive(Clone, Debug)]
pub struct Record {
    /// The revision of the write.
    pub revision: Revision,
    /// The resource.
    pub resource: GroupResource,
    /// The object's key.
    pub key: ObjectKey,
    /// The object as it now is; `None` when the write deleted it.
    pub object: Option<Arc<Object>>,
    /// The revision of the record that this one supersedes, so that compaction needs no search.
    pub supersedes: Option<Revision>,
}

/// Proof of ownership: an append with an older epoch than the cluster's is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// What `Journal::open` finds.
#[derive(Debug)]
pub struct Opened {
    /// The epoch of this opening; earlier ones are fenced off.
    pub epoch: Epoch,
    /// The highest revision that was ever made durable, deletions included. Revisions never go back.
    pub revision: Revision,
    /// The live objects (those of the base included), in no particular order. Objects of a base are shared
    /// (`Arc`) with other clusters on that base where the journal still has them in memory.
    pub objects: Vec<(GroupResource, Arc<Object>)>,
}

/// Called once, from the journal's committer, in the order of the appends of a cluster. `Ok` means: survives
/// `kill -9`.
pub type Done = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// A durable log of many clusters. Implementations run the exported contract suite.
pub trait Journal: Send + Sync + 'static {
    /// Makes a cluster, empty or on top of an immutable `base` whose objects it shares and whose revision it
    /// starts from. Durable on return. Blocks; call from a blocking thread.
    ///
    /// The new cluster is open already: the epoch that is returned may append at once, so that a fork of a
    /// root in memory reads nothing. From now on the base is sealed: appends to it fail with `InUse`.
    ///
    /// # Errors
    /// `Exists` when there is one of that name; `UnknownCluster` when the base is missing.
    fn create(&self, cluster: &ClusterId, base: Option<&ClusterId>) -> Result<Epoch, JournalError>;

    /// Loads a cluster and fences everyone who opened it before. Blocks; call from a blocking thread.
    ///
    /// # Errors
    /// `UnknownCluster`, or the store's failure.
    fn open(&self, cluster: &ClusterId) -> Result<Opened, JournalError>;

    /// Queues records of one cluster, in order, and returns at once; `done` is called exactly once, when they
    /// are durable or have failed, from the committer or, where there is none, before `append` returns.
    /// Appends of all clusters are grouped into one transaction; the records of one append are durable
    /// together or not at all. After a failure every later append of that opening fails with `Fenced` until
    /// the cluster is opened again. A revision that does not rise fails with `Disorder`.
    fn append(&self, cluster: &ClusterId, epoch: Epoch, records: Vec<Record>, done: Done);

    /// Whether more appends are welcome. `false` while the queue is at its bound: the caller then refuses the
    /// write as busy, before it gives out a revision. `append` itself never refuses for this reason.
    fn has_room(&self) -> bool {
        true
    }

    /// Removes a cluster and all that it holds, and fences its owner. Removing one that is not there is
    /// fine. Durable on return. Blocks.
    ///
    /// # Errors
    /// The store's failure; `InUse` when another cluster has it as its base.
    fn delete(&self, cluster: &ClusterId) -> Result<(), JournalError>;

    /// All clusters, sorted.
    ///
    /// # Errors
    /// The store's failure.
    fn clusters(&self) -> Result<Vec<ClusterId>, JournalError>;

    /// Writes what is queued, refuses what comes later, and lets go of the data, so that another process may have it
    /// on return. Blocks; call from a blocking thread. Dropping a journal does the same, but whoever drops it last
    /// cannot be known.
    fn close(&self) {}
}

/// Why the journal refused. Blame: `Full`, `Io`, `Corrupt` the store's; `Fenced` another owner's; the rest the
/// caller's.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// There is no such cluster.
    #[error("no cluster {0} in the journal")]
    UnknownCluster(ClusterId),
    /// There is one already.
    #[error("cluster {0} exists already in the journal")]
    Exists(ClusterId),
    /// It is the base of others.
    #[error("cluster {0} is the base of others")]
    InUse(ClusterId),
    /// Another opening owns the cluster now, or an earlier append of this one failed.
    #[error("cluster {0} was opened by another owner or an earlier write failed")]
    Fenced(ClusterId),
    /// An append whose revision is not above the last one: the caller has lost count.
    #[error("revision {revision} of cluster {cluster} does not follow {last}")]
    Disorder {
        /// The cluster.
        cluster: ClusterId,
        /// The refused revision.
        revision: Revision,
        /// The highest revision so far.
        last: Revision,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The data is held by another process.
    #[error("the data directory is in use by another process")]
    Locked,
    /// No space left.
    #[error("no space left on the device that holds the data")]
    Full,
    /// What was read makes no sense.
    #[error("the journal is damaged: {0}")]
    Corrupt(String),
    /// Anything else.
    #[error("the journal failed")]
    Io(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// Checks that the revisions of an append rise, from the last one on. For journal implementations.
///
/// # Errors
/// `Disorder`.
pub fn rising(cluster: &ClusterId, mut last: Revision, records: &[Record]) -> Result<(), JournalError> {
    for record in records {
        if record.revision <= last {
            return Err(JournalError::Disorder {
                cluster: cluster.clone(),
                revision: record.revision,
                last,
            });
        }
        last = record.revision;
    }
    Ok(())
}
