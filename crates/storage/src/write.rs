//! What is asked of a store, and how it refuses.

use std::sync::Arc;

use warren_apimachinery::{Draft, GroupResource, Object, ObjectKey, Revision};

use crate::journal::JournalError;

/// One write of one object.
#[derive(Clone, Debug)]
pub struct Write {
    /// The resource.
    pub resource: GroupResource,
    /// The object's key; the draft's own namespace and name must be the same.
    pub key: ObjectKey,
    /// What to do.
    pub change: WriteKind,
}

/// What to do with the object.
#[derive(Clone, Debug)]
pub enum WriteKind {
    /// Make it; it must not exist.
    Create(Draft),
    /// Replace it.
    Update {
        /// The object as it shall be.
        draft: Draft,
        /// The revision it must be at.
        expected: Revision,
    },
    /// Remove it.
    Delete {
        /// The object as it last was: what watchers are told, at the revision of the deletion.
        last: Draft,
        /// The revision it must be at.
        expected: Revision,
    },
}

impl WriteKind {
    pub(crate) fn draft(&self) -> &Draft {
        match self {
            WriteKind::Create(draft) | WriteKind::Update { draft, .. } => draft,
            WriteKind::Delete { last, .. } => last,
        }
    }
}

/// Why a write did not happen. Blame: `Exists`, `Missing`, `Changed`, `TooLarge` and `Full` the caller's;
/// `Busy` the load's (try again); `Closed` nobody's (the cluster is going away or to sleep); `Journal` the
/// store's.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// To be created, but it is there; with what is there.
    #[error("the object exists already")]
    Exists(Arc<Object>),
    /// To be changed, but it is not there.
    #[error("the object does not exist")]
    Missing,
    /// It is at another revision than expected; with what is there.
    #[error("the object was changed by someone else")]
    Changed(Arc<Object>),
    /// The draft's namespace or name is not the key's: a bug of the caller.
    #[error("the object is not the one that its key names")]
    Misplaced,
    /// One object is over [`MAX_OBJECT_BYTES`](crate::MAX_OBJECT_BYTES).
    #[error("the object has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The cluster's objects would take more bytes than it may have. Deletions are still accepted.
    #[error("the cluster's store is at its limit of {limit} bytes")]
    Full {
        /// The limit.
        limit: u64,
    },
    /// Too many writes wait for the journal. Nothing was done; try again.
    #[error("too many writes are waiting")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The journal failed, now or at an earlier write; the store stays readable, and read-only until it is
    /// opened again. Whether this write happened is known after that.
    #[error("the write could not be made durable")]
    Journal(#[source] JournalError),
}
