//! What a committed write tells those who follow the store.

use std::sync::Arc;

use warren_apimachinery::{ClusterId, GroupResource, Object, Revision};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was created.
    Added,
    /// It was replaced.
    Modified,
    /// It is gone.
    Deleted,
}

/// One committed write. Cheap to clone: the objects are shared.
#[derive(Clone, Debug)]
pub struct Event {
    /// The resource.
    pub resource: GroupResource,
    /// What happened.
    pub kind: EventKind,
    /// The object as it now is; of a deletion, as it last was, at the deletion's revision.
    pub object: Arc<Object>,
    /// The object before, for watches whose selector it may have matched; `None` for `Added`.
    pub previous: Option<Arc<Object>>,
    /// The revision of the write.
    pub revision: Revision,
}

/// Follows every commit of a store: how controllers and the syncer hear of changes without a watch each.
pub trait CommitListener: Send + Sync {
    /// Called from the journal's committer, in the order of revisions, after the events became visible and
    /// before their writers hear of it. Never called twice at once for one cluster. Must be quick and must not
    /// block: all tenants wait for it.
    fn committed(&self, cluster: &ClusterId, events: &[Event]);

    /// Called from the journal's committer when an append failed and the store became read-only: whoever owns the
    /// cluster may open it anew and [`resume`](crate::Store::resume). Must be quick.
    fn failed(&self, _cluster: &ClusterId) {}
}

/// The listener that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl CommitListener for Silent {
    fn committed(&self, _cluster: &ClusterId, _events: &[Event]) {}
}
