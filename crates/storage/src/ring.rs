//! The last events of each resource, and how watchers are woken. Owns the bounds; does not filter.
//!
//! **Bound.** A ring holds at most its capacity of events and [`BYTES_PER_EVENT`] times as many bytes of
//! objects. Unwatched, a resource has room for [`FIRST_CAPACITY`] events: enough for a client between its list
//! and its watch. Each time a watched ring is full its room doubles, up to [`LAST_CAPACITY`]. At the bound the
//! oldest events go, and a watch that had not seen them is told `Compacted`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use warren_apimachinery::{GroupResource, Revision};

use crate::event::Event;
use crate::lock::lock;

/// Events of a resource that nobody has watched yet.
pub(crate) const FIRST_CAPACITY: usize = 128;
/// Events of a resource that is watched and busy.
pub(crate) const LAST_CAPACITY: usize = 4096;
/// Bytes of objects that a ring may hold, per event of its capacity: 512 KiB at first, 16 MiB at last.
pub(crate) const BYTES_PER_EVENT: usize = 4096;
/// Events that a watch takes at once, so that one that is far behind does not copy a whole ring.
const BATCH: usize = 512;

/// The rings of one store. Outlives the store for as long as someone watches.
#[derive(Debug)]
pub(crate) struct Feed {
    /// One per resource that saw a write or a watch since the store was opened or trimmed. Held while
    /// events are pushed, so that `trim` cannot drop a ring under them.
    rings: Mutex<Rings>,
    /// Every event up to here is in its ring.
    through: AtomicU64,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Rings {
    by_resource: BTreeMap<GroupResource, Arc<Ring>>,
    /// Events up to here are gone, of resources that have no ring.
    floor: Revision,
}

impl Rings {
    fn of(&mut self, resource: &GroupResource) -> &Arc<Ring> {
        let floor = self.floor;
        self.by_resource
            .entry(resource.clone())
            .or_insert_with(|| Arc::new(Ring::from(floor)))
    }
}

impl Feed {
    pub(crate) fn from(revision: Revision) -> Self {
        Self {
            rings: Mutex::new(Rings {
                by_resource: BTreeMap::new(),
                floor: revision,
            }),
            through: AtomicU64::new(revision.0),
            closed: AtomicBool::new(false),
        }
    }

    /// Adds a batch in the order of revisions and wakes the watchers of its resources, and only those.
    pub(crate) fn push(&self, events: &[Event], through: Revision) {
        let mut woken: Vec<Arc<Ring>> = Vec::new();
        let mut rings = lock(&self.rings);
        for event in events {
            let ring = rings.of(&event.resource);
            ring.push(event.clone());
            if !woken.iter().any(|other| Arc::ptr_eq(other, ring)) {
                woken.push(Arc::clone(ring));
            }
        }
        self.through.store(through.0, Ordering::Release);
        drop(rings);
        for ring in woken {
            ring.wake.notify_waiters();
        }
    }

    /// The revision through which every ring is complete.
    pub(crate) fn through(&self) -> Revision {
        Revision(self.through.load(Ordering::Acquire))
    }

    /// The ring of a resource, with one watcher more; `Err` says through where events are gone.
    pub(crate) fn join(&self, resource: &GroupResource, after: Revision) -> Result<Arc<Ring>, Revision> {
        let mut rings = lock(&self.rings);
        let trimmed = rings
            .by_resource
            .get(resource)
            .map_or(rings.floor, |ring| ring.trimmed());
        if after < trimmed {
            return Err(trimmed);
        }
        let ring = Arc::clone(rings.of(resource));
        ring.watchers.fetch_add(1, Ordering::Relaxed);
        Ok(ring)
    }

    /// The events of a resource after one revision, up to another that is visible; `None` when some are gone, or are
    /// not in their ring yet.
    pub(crate) fn between(
        &self,
        resource: &GroupResource,
        after: Revision,
        through: Revision,
    ) -> Option<Vec<Event>> {
        let rings = lock(&self.rings);
        if self.through() < through {
            return None;
        }
        match rings.by_resource.get(resource) {
            Some(ring) => ring.between(after, through),
            None => (after >= rings.floor).then(Vec::new),
        }
    }

    /// Drops the rings that nobody watches.
    pub(crate) fn trim(&self) {
        let mut rings = lock(&self.rings);
        rings.floor = self.through();
        rings.by_resource.retain(|_, ring| ring.is_watched());
    }

    pub(crate) fn is_watched(&self) -> bool {
        lock(&self.rings)
            .by_resource
            .values()
            .any(|ring| ring.is_watched())
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let rings = lock(&self.rings);
        for ring in rings.by_resource.values() {
            ring.wake.notify_waiters();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// The last events of one resource.
#[derive(Debug)]
pub(crate) struct Ring {
    kept: Mutex<Kept>,
    watchers: AtomicUsize,
    pub(crate) wake: Notify,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<Event>,
    bytes: usize,
    capacity: usize,
    /// Events up to here are gone.
    trimmed: Revision,
}

impl Ring {
    fn from(trimmed: Revision) -> Self {
        Self {
            kept: Mutex::new(Kept {
                events: VecDeque::new(),
                bytes: 0,
                capacity: FIRST_CAPACITY,
                trimmed,
            }),
            watchers: AtomicUsize::new(0),
            wake: Notify::new(),
        }
    }

    pub(crate) fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Relaxed)
    }

    fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn leave(&self) {
        self.watchers.fetch_sub(1, Ordering::Relaxed);
    }

    fn trimmed(&self) -> Revision {
        lock(&self.kept).trimmed
    }

    fn push(&self, event: Event) {
        let watched = self.is_watched();
        let mut kept = lock(&self.kept);
        kept.bytes += event.object.size();
        kept.events.push_back(event);
        while kept.is_over() {
            if watched && kept.capacity < LAST_CAPACITY {
                kept.capacity *= 2;
            } else {
                kept.drop_oldest();
            }
        }
    }

    /// The next events after a revision, some of them; `Err` says through where they are gone.
    pub(crate) fn after(&self, seen: Revision) -> Result<Vec<Event>, Revision> {
        let kept = lock(&self.kept);
        if seen < kept.trimmed {
            return Err(kept.trimmed);
        }
        let first = kept.events.partition_point(|event| event.revision <= seen);
        Ok(kept.events.iter().skip(first).take(BATCH).cloned().collect())
    }

    fn between(&self, after: Revision, through: Revision) -> Option<Vec<Event>> {
        let kept = lock(&self.kept);
        let meant = |event: &&Event| event.revision > after && event.revision <= through;
        (after >= kept.trimmed).then(|| kept.events.iter().filter(meant).cloned().collect())
    }
}

impl Kept {
    /// One event is kept always, however large.
    fn is_over(&self) -> bool {
        self.events.len() > 1
            && (self.events.len() > self.capacity || self.bytes > self.capacity * BYTES_PER_EVENT)
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.object.size();
            self.trimmed = event.revision;
        }
    }
}
