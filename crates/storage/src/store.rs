//! The store of one virtual cluster. Owns the head that writers base on and the root that readers see; does not
//! own durability (the journal's) nor what a write means (the registry's).
//!
//! **The way of a write.** `commit` checks the expectation against the head, gives the revision and applies the
//! write there, under one short lock. One append per cluster is with the journal at a time; writes that come
//! meanwhile wait and go together in the next. When an append is durable its batch is published at once: the
//! visible root is swapped, the events go to the rings, the listener and then the writers hear of it.
//!
//! A store without readers, watchers or writers has no task, timer or channel.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Revision};

use crate::event::{CommitListener, Event, EventKind};
use crate::head::{Batch, Head, Pending, Reply, decide};
use crate::journal::{Epoch, Journal, JournalError, Opened};
use crate::lock::lock;
use crate::ring::Feed;
use crate::snapshot::{Root, Snapshot, cost};
use crate::watch::{Compacted, Watch};
use crate::write::{CommitError, Write};

/// The largest object: etcd's default limit of a request, which is what upstream's users meet.
pub const MAX_OBJECT_BYTES: usize = 3 * 512 * 1024;
/// What the objects of a cluster may take unless [`Store::limit_bytes`] says otherwise: etcd's default quota.
pub const MAX_STORE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The store of one virtual cluster. Readers share it without locks.
pub struct Store {
    cluster: ClusterId,
    journal: Arc<dyn Journal>,
    /// Of the last opening.
    epoch: AtomicU64,
    listener: Arc<dyn CommitListener>,
    /// What readers see: everything that is durable.
    visible: ArcSwap<Root>,
    /// What writers base on. Held for a map lookup and an insertion, never while waiting.
    head: Mutex<Head>,
    feed: Arc<Feed>,
    max_bytes: AtomicU64,
    /// Itself, so that an append keeps the store until it is durable.
    this: Weak<Store>,
}

impl Store {
    /// Takes over what the journal loaded.
    pub fn open(
        cluster: ClusterId,
        journal: Arc<dyn Journal>,
        opened: Opened,
        listener: Arc<dyn CommitListener>,
    ) -> Arc<Store> {
        Self::open_over(&Snapshot::default(), cluster, journal, opened, listener)
    }

    /// The same, sharing the structure of `base` (the snapshot of the cluster that this one is based on)
    /// wherever the loaded objects are the base's own.
    pub fn open_over(
        base: &Snapshot,
        cluster: ClusterId,
        journal: Arc<dyn Journal>,
        opened: Opened,
        listener: Arc<dyn CommitListener>,
    ) -> Arc<Store> {
        let mut root = Root::clone(&base.0);
        root.become_exactly(opened.objects);
        root.revision = opened.revision;
        Self::start(cluster, journal, opened.epoch, listener, Arc::new(root))
    }

    /// A store of a cluster that was just made on top of the one whose snapshot `base` is, at the epoch that
    /// [`Journal::create`] returned. Reads nothing and copies nothing: the whole root is shared.
    pub fn fork(
        base: &Snapshot,
        cluster: ClusterId,
        journal: Arc<dyn Journal>,
        epoch: Epoch,
        listener: Arc<dyn CommitListener>,
    ) -> Arc<Store> {
        Self::start(cluster, journal, epoch, listener, Arc::clone(&base.0))
    }

    fn start(
        cluster: ClusterId,
        journal: Arc<dyn Journal>,
        epoch: Epoch,
        listener: Arc<dyn CommitListener>,
        root: Arc<Root>,
    ) -> Arc<Store> {
        Arc::new_cyclic(|this| Store {
            cluster,
            journal,
            epoch: AtomicU64::new(epoch.0),
            listener,
            feed: Arc::new(Feed::from(root.revision)),
            visible: ArcSwap::new(Arc::clone(&root)),
            head: Mutex::new(Head::from(root)),
            max_bytes: AtomicU64::new(MAX_STORE_BYTES),
            this: Weak::clone(this),
        })
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// Everything that is durable. One atomic load, no lock.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.visible.load_full())
    }

    /// One resource as it was at a revision, made of what is visible and its last events: for a list of an exact
    /// revision, and for the page of a list whose snapshot nobody kept. `None` when the events do not reach back so
    /// far, or the revision is not reached. What other resources are in it is of no revision.
    pub fn rewind(&self, resource: &GroupResource, to: Revision) -> Option<Snapshot> {
        let now = self.visible.load_full();
        if to > now.revision {
            return None;
        }
        let undone = self.feed.between(resource, to, now.revision)?;
        let mut root = Root::clone(&now);
        for event in undone.iter().rev() {
            match &event.previous {
                Some(previous) => root.insert(resource, Arc::clone(previous)),
                None => root.remove(resource, &event.object.key()),
            }
        }
        root.revision = to;
        Some(Snapshot(Arc::new(root)))
    }

    /// Everything that was written, writes in flight included: for allocators and quota, which must not give
    /// twice what an earlier writer is about to have. Never for answering a client.
    pub fn head(&self) -> Snapshot {
        Snapshot(Arc::clone(&lock(&self.head).root))
    }

    /// One object of the head: what a writer bases its expectation on.
    pub fn latest(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>> {
        lock(&self.head).root.get(resource, key).map(Arc::clone)
    }

    /// The objects of a resource in the head, in key order. [`Store::head`] avoids the copy.
    pub fn latest_list(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.head().list(resource, namespace).map(Arc::clone).collect()
    }

    /// Sets how many bytes the objects may take; [`MAX_STORE_BYTES`] at first.
    pub fn limit_bytes(&self, limit: u64) {
        self.max_bytes.store(limit, Ordering::Relaxed);
    }

    /// Writes one object. Resolves when the write is durable and visible. Dropping the future does not take
    /// the write back.
    ///
    /// Returns the object as written; of a deletion, as it last was, at the deletion's revision.
    ///
    /// # Errors
    /// See [`CommitError`]; except for `Journal`, nothing was written.
    pub async fn commit(&self, write: Write) -> Result<Arc<Object>, CommitError> {
        let (reply, answer) = oneshot::channel();
        if let Some(batch) = self.enter(write, reply)? {
            self.append(batch);
        }
        // Every batch is answered; a dropped reply could only mean that the process goes down.
        answer.await.unwrap_or(Err(CommitError::Closed))
    }

    /// Applies a write to the head. Returns the batch to append when none is under way.
    fn enter(&self, write: Write, reply: Reply) -> Result<Option<Batch>, CommitError> {
        let draft = write.change.draft().meta();
        if draft.namespace != write.key.namespace || draft.name != write.key.name {
            return Err(CommitError::Misplaced);
        }
        let room = self.journal.has_room();
        let mut head = lock(&self.head);
        head.admits(room)?;
        let current = head.root.get(&write.resource, &write.key).map(Arc::clone);
        let pending = decide(write, current, head.root.revision.next(), reply)?;
        self.check_size(&head.root, &pending.event)?;
        head.apply(pending);
        Ok(head.start())
    }

    fn check_size(&self, root: &Root, event: &Event) -> Result<(), CommitError> {
        if event.kind == EventKind::Deleted {
            return Ok(());
        }
        let bytes = event.object.size();
        if bytes > MAX_OBJECT_BYTES {
            return Err(CommitError::TooLarge {
                bytes,
                limit: MAX_OBJECT_BYTES,
            });
        }
        let limit = self.max_bytes.load(Ordering::Relaxed);
        let before = event.previous.as_ref().map_or(0, |previous| cost(previous));
        let after = cost(&event.object);
        // An update that shrinks its object helps, and is let through.
        if after > before && root.bytes() - before + after > limit {
            return Err(CommitError::Full { limit });
        }
        Ok(())
    }

    /// Gives a batch to the journal. Called without the lock, since a journal may be done before it returns;
    /// the order is kept because there is one at a time.
    fn append(&self, batch: Batch) {
        let records = batch.writes.iter().map(Pending::record).collect();
        let Some(store) = self.this.upgrade() else { return };
        let flight = Flight {
            store,
            batch: Some(batch),
        };
        let done = Box::new(move |result| flight.land(result));
        let epoch = Epoch(self.epoch.load(Ordering::Acquire));
        self.journal.append(&self.cluster, epoch, records, done);
    }

    fn landed(&self, batch: Batch, result: Result<(), JournalError>) {
        if let Err(error) = result {
            self.fail(batch, &error);
        } else {
            self.publish(batch);
            let next = lock(&self.head).settle();
            if let Some(batch) = next {
                self.append(batch);
            }
        }
    }

    fn publish(&self, batch: Batch) {
        let through = batch.root.revision;
        self.visible.store(batch.root);
        let (events, replies): (Vec<Event>, Vec<Reply>) = batch
            .writes
            .into_iter()
            .map(|pending| (pending.event, pending.reply))
            .unzip();
        self.feed.push(&events, through);
        // A panic here would end the committer, and with it every tenant's writes.
        let told = catch_unwind(AssertUnwindSafe(|| {
            self.listener.committed(&self.cluster, &events)
        }));
        if told.is_err() {
            tracing::error!(cluster = %self.cluster, "a commit listener panicked");
        }
        for (event, reply) in events.into_iter().zip(replies) {
            // A writer that went away does not need to know.
            let _ = reply.send(Ok(event.object));
        }
    }

    fn fail(&self, batch: Batch, error: &JournalError) {
        tracing::error!(cluster = %self.cluster, %error, "the journal failed; the store is read-only now");
        let waiting = lock(&self.head).fall_back(self.visible.load_full(), error.clone());
        for pending in batch.writes.into_iter().chain(waiting) {
            let _ = pending.reply.send(Err(CommitError::Journal(error.clone())));
        }
        if catch_unwind(AssertUnwindSafe(|| self.listener.failed(&self.cluster))).is_err() {
            tracing::error!(cluster = %self.cluster, "a commit listener panicked");
        }
    }

    /// Takes writes again after the journal failed and was opened anew. `false` when there is nothing to resume, or
    /// when the journal holds other than what is visible here (an append that it reported as failed was durable after
    /// all): then only a new store tells the truth.
    pub fn resume(&self, opened: &Opened) -> bool {
        let mut head = lock(&self.head);
        if opened.revision != self.visible.load().revision {
            return false;
        }
        self.epoch.store(opened.epoch.0, Ordering::Release);
        head.resume()
    }

    /// The events of a resource after a revision, of one namespace or of all. `after` is usually a snapshot's
    /// revision; one that is not reached yet is waited for.
    ///
    /// # Errors
    /// When events after it are not kept any more.
    pub fn watch(
        &self,
        resource: &GroupResource,
        namespace: Option<&str>,
        after: Revision,
    ) -> Result<Watch, Compacted> {
        let ring = self.feed.join(resource, after).map_err(|through| Compacted {
            asked: after,
            through,
        })?;
        Ok(Watch::new(Arc::clone(&self.feed), ring, namespace, after))
    }

    /// Whether anyone watches anything here.
    pub fn is_watched(&self) -> bool {
        self.feed.is_watched()
    }

    /// Forgets the events that nobody watches: what an idle cluster need not keep. A watch from before gets
    /// `Compacted`.
    pub fn trim(&self) {
        self.feed.trim();
    }

    /// Why the store takes no writes since the journal failed; `None` while all is well. The way out is to
    /// open the cluster again.
    pub fn failure(&self) -> Option<JournalError> {
        lock(&self.head).failure()
    }

    /// Refuses further writes, waits until those in flight are durable, and ends the watches. Reading goes on.
    pub async fn close(&self) {
        let idle = lock(&self.head).close();
        if let Some(idle) = idle {
            // An error means that the sender is gone, and with it what was in flight.
            let _ = idle.await;
        }
        self.feed.close();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.feed.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("cluster", &self.cluster)
            .field("revision", &self.snapshot().revision())
            .finish_non_exhaustive()
    }
}

/// A batch that the journal has. If it is dropped unanswered, its writers hear so and the store is failed.
struct Flight {
    store: Arc<Store>,
    batch: Option<Batch>,
}

impl Flight {
    fn land(mut self, result: Result<(), JournalError>) {
        if let Some(batch) = self.batch.take() {
            self.store.landed(batch, result);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.store.landed(batch, Err(JournalError::Closed));
        }
    }
}
