//! The head of a store: what writers base on, and the writes that are not durable yet. Pure bookkeeping under the
//! store's lock; does not know the journal.

use std::sync::Arc;

use tokio::sync::oneshot;
use warren_apimachinery::{Object, Revision};

use crate::event::{Event, EventKind};
use crate::journal::{JournalError, Record};
use crate::snapshot::Root;
use crate::write::{CommitError, Write, WriteKind};

/// Writes of one cluster that wait to become durable; further ones are refused as [`CommitError::Busy`].
pub const MAX_IN_FLIGHT: usize = 8192;

pub(crate) type Reply = oneshot::Sender<Result<Arc<Object>, CommitError>>;

/// The root with every write applied, and the writes in flight.
pub(crate) struct Head {
    pub(crate) root: Arc<Root>,
    /// Applied to the head, not yet with the journal.
    waiting: Vec<Pending>,
    /// How many the journal has now.
    appended: usize,
    state: State,
    /// Told when nothing is in flight any more.
    closers: Vec<oneshot::Sender<()>>,
}

enum State {
    /// Takes writes.
    Open,
    /// Takes no more writes; those in flight still become durable.
    Closed,
    /// The journal failed: readable, read-only, until it is opened anew.
    Failed(JournalError),
}

/// A write that is in the head and not yet durable.
pub(crate) struct Pending {
    pub(crate) event: Event,
    supersedes: Option<Revision>,
    pub(crate) reply: Reply,
}

/// The writes of one append, and the root after the last of them.
pub(crate) struct Batch {
    pub(crate) root: Arc<Root>,
    pub(crate) writes: Vec<Pending>,
}

impl Head {
    pub(crate) fn from(root: Arc<Root>) -> Self {
        Self {
            root,
            waiting: Vec::new(),
            appended: 0,
            state: State::Open,
            closers: Vec::new(),
        }
    }

    /// The batch to append, when none is under way.
    pub(crate) fn start(&mut self) -> Option<Batch> {
        if self.appended == 0 {
            self.take_batch()
        } else {
            None
        }
    }

    pub(crate) fn admits(&self, room: bool) -> Result<(), CommitError> {
        match &self.state {
            State::Closed => Err(CommitError::Closed),
            State::Failed(error) => Err(CommitError::Journal(error.clone())),
            State::Open if !room || self.appended + self.waiting.len() >= MAX_IN_FLIGHT => {
                Err(CommitError::Busy)
            }
            State::Open => Ok(()),
        }
    }

    pub(crate) fn apply(&mut self, pending: Pending) {
        let event = &pending.event;
        let root = Arc::make_mut(&mut self.root);
        root.revision = event.revision;
        match event.kind {
            EventKind::Added | EventKind::Modified => root.insert(&event.resource, Arc::clone(&event.object)),
            EventKind::Deleted => root.remove(&event.resource, &event.object.key()),
        }
        self.waiting.push(pending);
    }

    fn take_batch(&mut self) -> Option<Batch> {
        if self.waiting.is_empty() {
            return None;
        }
        let writes = std::mem::take(&mut self.waiting);
        self.appended = writes.len();
        Some(Batch {
            root: Arc::clone(&self.root),
            writes,
        })
    }

    /// The append under way is done: the next one, or nobody is in flight.
    pub(crate) fn settle(&mut self) -> Option<Batch> {
        self.appended = 0;
        let next = self.take_batch();
        if next.is_none() {
            self.tell_closers();
        }
        next
    }

    /// The journal failed: back to what is durable. Returns the writes that never got to the journal.
    pub(crate) fn fall_back(&mut self, visible: Arc<Root>, error: JournalError) -> Vec<Pending> {
        self.root = visible;
        self.appended = 0;
        self.state = State::Failed(error);
        self.tell_closers();
        std::mem::take(&mut self.waiting)
    }

    /// Takes writes again after a failure. Whether it did.
    pub(crate) fn resume(&mut self) -> bool {
        let failed = matches!(self.state, State::Failed(_));
        if failed {
            self.state = State::Open;
        }
        failed
    }

    pub(crate) fn failure(&self) -> Option<JournalError> {
        match &self.state {
            State::Failed(error) => Some(error.clone()),
            State::Open | State::Closed => None,
        }
    }

    /// Takes no more writes. Returns what to wait for when some are in flight.
    pub(crate) fn close(&mut self) -> Option<oneshot::Receiver<()>> {
        if matches!(self.state, State::Open) {
            self.state = State::Closed;
        }
        if self.appended == 0 {
            return None;
        }
        let (closer, idle) = oneshot::channel();
        self.closers.push(closer);
        Some(idle)
    }

    fn tell_closers(&mut self) {
        for closer in self.closers.drain(..) {
            let _ = closer.send(());
        }
    }
}

impl Pending {
    pub(crate) fn record(&self) -> Record {
        let event = &self.event;
        Record {
            revision: event.revision,
            resource: event.resource.clone(),
            key: event.object.key(),
            object: (event.kind != EventKind::Deleted).then(|| Arc::clone(&event.object)),
            supersedes: self.supersedes,
        }
    }
}

/// Checks the expectation of a write against the current object and turns it into an event.
pub(crate) fn decide(
    write: Write,
    current: Option<Arc<Object>>,
    revision: Revision,
    reply: Reply,
) -> Result<Pending, CommitError> {
    let (kind, draft, expected) = match write.change {
        WriteKind::Create(draft) => (EventKind::Added, draft, None),
        WriteKind::Update { draft, expected } => (EventKind::Modified, draft, Some(expected)),
        WriteKind::Delete { last, expected } => (EventKind::Deleted, last, Some(expected)),
    };
    match (&current, expected) {
        (Some(current), None) => return Err(CommitError::Exists(Arc::clone(current))),
        (None, Some(_)) => return Err(CommitError::Missing),
        (Some(current), Some(expected)) if current.meta().revision != expected => {
            return Err(CommitError::Changed(Arc::clone(current)));
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
    Ok(Pending {
        supersedes: current.as_ref().map(|current| current.meta().revision),
        event: Event {
            resource: write.resource,
            kind,
            object: Arc::new(draft.at(revision)),
            previous: current,
            revision,
        },
        reply,
    })
}
