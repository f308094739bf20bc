//! A watch: the events of one resource after a revision, each once, in order, or the news that some are gone.

use std::pin::pin;
use std::sync::Arc;

use smol_str::SmolStr;
use warren_apimachinery::Revision;

use crate::event::Event;
use crate::ring::{Feed, Ring};

/// The events that were asked for are not kept any more: list again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events up to revision {through} are not kept any more; {asked} was asked for")]
pub struct Compacted {
    /// The revision that was asked for.
    pub asked: Revision,
    /// The oldest revision that a watch can start after.
    pub through: Revision,
}

/// Why a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchEnd {
    /// The watch fell too far behind: upstream's `410 Gone`.
    #[error(transparent)]
    Compacted(#[from] Compacted),
    /// The store was closed and every event was delivered: the stream ends, the client comes again.
    #[error("the store is closed")]
    Closed,
}

/// The events of one resource, in one namespace or in all. Holds no task; dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    feed: Arc<Feed>,
    ring: Arc<Ring>,
    namespace: Option<SmolStr>,
    seen: Revision,
}

impl Watch {
    /// Takes a ring that was joined; leaves it when dropped.
    pub(crate) fn new(feed: Arc<Feed>, ring: Arc<Ring>, namespace: Option<&str>, after: Revision) -> Self {
        Self {
            feed,
            ring,
            namespace: namespace.map(SmolStr::new),
            seen: after,
        }
    }

    /// Waits for events; never an empty list. Cancel safe: what was not returned comes next time.
    ///
    /// # Errors
    /// When the watch ended; it stays ended.
    pub async fn next(&mut self) -> Result<Vec<Event>, WatchEnd> {
        let ring = Arc::clone(&self.ring);
        loop {
            // Registered before looking, so that an event in between wakes it.
            let mut woken = pin!(ring.wake.notified());
            woken.as_mut().enable();
            if let Some(events) = self.try_next()? {
                return Ok(events);
            }
            woken.await;
        }
    }

    /// The events that are there already, or `None`.
    ///
    /// # Errors
    /// When the watch ended; it stays ended.
    pub fn try_next(&mut self) -> Result<Option<Vec<Event>>, WatchEnd> {
        loop {
            // Read before the ring: what is complete now is in the ring then.
            let closed = self.feed.is_closed();
            let through = self.feed.through();
            let mut events = self.ring.after(self.seen).map_err(|through| Compacted {
                asked: self.seen,
                through,
            })?;
            let Some(last) = events.last().map(|event| event.revision) else {
                self.seen = self.seen.max(through);
                return if closed { Err(WatchEnd::Closed) } else { Ok(None) };
            };
            self.seen = last;
            if let Some(namespace) = &self.namespace {
                events.retain(|event| event.object.meta().namespace == *namespace);
            }
            if !events.is_empty() {
                return Ok(Some(events));
            }
        }
    }

    /// The revision through which this watch has seen everything: what a bookmark may say after the events
    /// that were returned. Rises with the store also while the resource is quiet, each time one of the `next`
    /// methods found nothing.
    pub fn revision(&self) -> Revision {
        self.seen
    }
}

impl Watch {
    /// How many watch the same resource, this one included.
    pub fn watchers(&self) -> usize {
        self.ring.watchers()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ring.leave();
    }
}
