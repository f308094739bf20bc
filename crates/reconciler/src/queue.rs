//! The fleet's one work queue: fair between tenants, without duplicates, with delays and backoff.
//!
//! Owns which item is next. Does not own what an item means.
//!
//! Bound: an item stands in the queue once, so it never holds more than clusters × reconcilers × keys. A tenant
//! with nothing to do costs nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use warren_apimachinery::{ClusterId, ObjectKey};

/// How many items of one tenant are handed out before the next tenant's turn.
const QUANTUM: u32 = 4;
const BACKOFF_START: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The longest backoff of an item that changed while its failing pass ran: the pass may have missed it.
const BACKOFF_DIRTY_MAX: Duration = Duration::from_secs(1);

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// Which reconciler, by its place in the runtime's list.
    pub reconciler: usize,
    /// Which object.
    pub key: ObjectKey,
}

/// When a finished item is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// When something changes.
    OnChange,
    /// After this time, with a clean record.
    After(Duration),
    /// After a backoff that doubles with each failure in a row.
    Backoff,
}

/// See the module. Ends with `close`, after which `next` answers `None`.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    tenants: HashMap<ClusterId, Tenant>,
    /// Tenants with ready items, each once, in the order of their turns.
    turns: VecDeque<ClusterId>,
    /// May hold entries that no longer count: an entry counts if it equals the item's `due`.
    delayed: BinaryHeap<Reverse<(Instant, ClusterId, Item)>>,
    closed: bool,
}

#[derive(Default)]
struct Tenant {
    ready: VecDeque<Item>,
    entries: HashMap<Item, Entry>,
    /// What is left of the quantum in this turn.
    credit: u32,
}

/// An entry is dropped when it is neither ready, running, delayed nor failing.
#[derive(Default)]
struct Entry {
    ready: bool,
    running: bool,
    /// Changed while it was running.
    dirty: bool,
    failures: u32,
    due: Option<Instant>,
}

impl Entry {
    fn idle(&self) -> bool {
        !self.ready && !self.running && self.failures == 0 && self.due.is_none()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means a panic between two field writes of plain data; the queue stays usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for an item to be looked at now, also if it waits for a later time.
    pub fn add(&self, cluster: &ClusterId, item: Item) {
        if self.lock().add(cluster, item) {
            self.wake.notify_one();
        }
    }

    /// Hands out the next item, waiting for one; `None` once the queue is closed. The caller must give it back
    /// with `done`. The number says how many passes of it failed in a row before this one.
    pub async fn next(&self) -> Option<(ClusterId, Item, u32)> {
        loop {
            let wake = self.wake.notified();
            let due = {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                state.promote(Instant::now());
                if let Some(taken) = state.take() {
                    if !state.turns.is_empty() {
                        self.wake.notify_one();
                    }
                    return Some(taken);
                }
                state.delayed.peek().map(|Reverse((at, ..))| *at)
            };
            match due {
                Some(at) => {
                    tokio::select! {
                        () = wake => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => wake.await,
            }
        }
    }

    /// Gives an item back. If it changed meanwhile it is ready at once, or after a short backoff if that was
    /// asked for.
    pub fn done(&self, cluster: &ClusterId, item: Item, again: Again) {
        self.lock().done(cluster, item, again, Instant::now());
        self.wake.notify_one();
    }

    /// Drops all items of a cluster that is gone; those in flight are dropped when they come back.
    pub fn forget(&self, cluster: &ClusterId) {
        let mut state = self.lock();
        state.tenants.remove(cluster);
        state.turns.retain(|turn| turn != cluster);
    }

    /// Ends the queue: `next` answers `None` to everyone.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// How many items are ready and how many wait for their time.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (
            state.tenants.values().map(|tenant| tenant.ready.len()).sum(),
            state.delayed.len(),
        )
    }

    /// Whether nothing is ready and nothing runs (delayed items do not count).
    pub fn is_settled(&self) -> bool {
        let state = self.lock();
        state.tenants.values().all(|tenant| {
            tenant
                .entries
                .values()
                .all(|entry| !entry.ready && !entry.running)
        })
    }
}

impl State {
    /// Whether a waiting worker is needed.
    fn add(&mut self, cluster: &ClusterId, item: Item) -> bool {
        let tenant = self.tenants.entry(cluster.clone()).or_default();
        let entry = tenant.entries.entry(item.clone()).or_default();
        if entry.running {
            entry.dirty = true;
            return false;
        }
        if entry.ready {
            return false;
        }
        entry.ready = true;
        entry.due = None;
        if tenant.ready.is_empty() {
            tenant.credit = QUANTUM;
            self.turns.push_back(cluster.clone());
        }
        tenant.ready.push_back(item);
        true
    }

    fn promote(&mut self, now: Instant) {
        while self.delayed.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((at, cluster, item))) = self.delayed.pop() else {
                return;
            };
            let entry = self
                .tenants
                .get_mut(&cluster)
                .and_then(|tenant| tenant.entries.get_mut(&item));
            if let Some(entry) = entry.filter(|entry| entry.due == Some(at)) {
                entry.due = None;
                self.add(&cluster, item);
            }
        }
    }

    fn take(&mut self) -> Option<(ClusterId, Item, u32)> {
        let cluster = self.turns.pop_front()?;
        let tenant = self.tenants.get_mut(&cluster)?;
        let item = tenant.ready.pop_front()?;
        let mut failures = 0;
        if let Some(entry) = tenant.entries.get_mut(&item) {
            entry.ready = false;
            entry.running = true;
            entry.dirty = false;
            failures = entry.failures;
        }
        tenant.credit = tenant.credit.saturating_sub(1);
        if !tenant.ready.is_empty() {
            if tenant.credit == 0 {
                tenant.credit = QUANTUM;
                self.turns.push_back(cluster.clone());
            } else {
                self.turns.push_front(cluster.clone());
            }
        }
        Some((cluster, item, failures))
    }

    fn done(&mut self, cluster: &ClusterId, item: Item, again: Again, now: Instant) {
        let Some(tenant) = self.tenants.get_mut(cluster) else {
            return;
        };
        let Some(entry) = tenant.entries.get_mut(&item) else {
            return;
        };
        entry.running = false;
        let delay = match again {
            Again::OnChange => None,
            Again::After(delay) => Some(delay),
            Again::Backoff if entry.dirty => Some(backoff(entry.failures).min(BACKOFF_DIRTY_MAX)),
            Again::Backoff => Some(backoff(entry.failures)),
        };
        entry.failures = if again == Again::Backoff {
            entry.failures.saturating_add(1)
        } else {
            0
        };
        if entry.dirty && again != Again::Backoff {
            self.add(cluster, item);
            return;
        }
        entry.due = delay.map(|delay| now + delay);
        if let Some(at) = entry.due {
            self.delayed.push(Reverse((at, cluster.clone(), item)));
        } else if entry.idle() {
            tenant.entries.remove(&item);
            if tenant.entries.is_empty() {
                self.tenants.remove(cluster);
            }
        }
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_START
        .saturating_mul(1 << failures.min(16))
        .min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        Item {
            reconciler: 0,
            key: ObjectKey::namespaced("default", name),
        }
    }

    fn cluster(name: &str) -> ClusterId {
        ClusterId::new(name)
    }

    #[tokio::test]
    async fn an_item_is_handed_out_once_however_often_it_was_added() {
        let queue = Queue::default();
        queue.add(&cluster("a"), item("x"));
        queue.add(&cluster("a"), item("x"));
        assert_eq!(queue.next().await, Some((cluster("a"), item("x"), 0)));
        assert_eq!(queue.depth(), (0, 0));
    }

    #[tokio::test]
    async fn an_item_that_changes_while_it_runs_is_handed_out_again_but_never_twice_at_once() {
        let queue = Queue::default();
        queue.add(&cluster("a"), item("x"));
        let (id, running, _) = queue.next().await.unwrap();
        queue.add(&cluster("a"), item("x"));
        assert_eq!(queue.depth(), (0, 0), "it runs, so it must not be ready");
        queue.done(&id, running, Again::OnChange);
        assert_eq!(queue.next().await, Some((cluster("a"), item("x"), 0)));
    }

    #[tokio::test]
    async fn a_flood_of_one_tenant_does_not_delay_another() {
        let queue = Queue::default();
        for n in 0..1000 {
            queue.add(&cluster("flood"), item(&n.to_string()));
        }
        queue.add(&cluster("quiet"), item("x"));
        let mut before = 0;
        while queue.next().await.unwrap().0 == cluster("flood") {
            before += 1;
        }
        assert!(before <= QUANTUM, "{before} items came first");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_a_success_clears_the_record() {
        let queue = Queue::default();
        queue.add(&cluster("a"), item("x"));
        let mut waits = Vec::new();
        for _ in 0..4 {
            let started = Instant::now();
            let (id, taken, _) = queue.next().await.unwrap();
            waits.push(started.elapsed().as_millis());
            queue.done(&id, taken, Again::Backoff);
        }
        assert!(
            waits.windows(2).skip(1).all(|pair| pair[1] >= pair[0] * 2 - 1),
            "{waits:?}"
        );
        let (id, taken, _) = queue.next().await.unwrap();
        queue.done(&id, taken, Again::OnChange);
        assert!(queue.lock().tenants.is_empty(), "an idle tenant costs nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_item_comes_at_its_time_or_earlier_when_it_changes() {
        let queue = Queue::default();
        queue.add(&cluster("a"), item("x"));
        let (id, taken, _) = queue.next().await.unwrap();
        queue.done(&id, taken, Again::After(Duration::from_secs(60)));
        queue.add(&cluster("a"), item("x"));
        let started = Instant::now();
        let (id, taken, _) = queue.next().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        queue.done(&id, taken, Again::After(Duration::from_secs(60)));
        let started = Instant::now();
        queue.next().await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(60));
    }

    #[tokio::test]
    async fn closing_wakes_everyone_who_waits() {
        let queue = std::sync::Arc::new(Queue::default());
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.close();
        for task in waiting {
            assert_eq!(task.await.unwrap(), None);
        }
    }
}
