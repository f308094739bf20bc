//! The runtime: feeds commits to the reconcilers that watch for them, and works off the fair queue.
//!
//! One for the whole fleet. Owns the workers and the queue; knows no kind.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use warren_apimachinery::{ClusterId, GroupResource};

use crate::cluster::{Change, Cluster, Clusters};
use crate::queue::{Again, Item, Queue};
use crate::reconcile::{Context, Next, ReconcileError, Reconciler, Triggers};

/// Changes that wait for dispatch. Above it the change is dropped and its cluster gets a full pass instead,
/// which finds the same.
const PENDING_MAX: usize = 65_536;

/// A warning is logged when as many passes of an item failed in a row: after about half a minute.
const FAILURES_WORTH_TELLING: u32 = 13;

/// How often every cluster gets a full pass. A safety net that should find nothing.
const FULL_PASS_EVERY: Duration = Duration::from_secs(600);

/// Which clusters a reconciler runs in.
pub type RunsIn = fn(&ClusterId) -> bool;

/// A reconciler and where it runs.
pub struct Registration {
    /// The reconciler.
    pub reconciler: Arc<dyn Reconciler>,
    /// The clusters whose changes it sees.
    pub runs_in: RunsIn,
}

/// What the runtime did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Passes that were made.
    pub passes: u64,
    /// Passes that ended in an error.
    pub failures: u64,
    /// Items that are ready.
    pub ready: usize,
    /// Items that wait for their time.
    pub delayed: usize,
}

/// See the module.
pub struct Runtime {
    clusters: Arc<dyn Clusters>,
    registrations: Vec<Registration>,
    by_resource: HashMap<GroupResource, Vec<usize>>,
    /// Those that see every change.
    of_everything: Vec<usize>,
    queue: Queue,
    pending: Mutex<Pending>,
    arrived: Notify,
    passes: AtomicU64,
    failures: AtomicU64,
}

#[derive(Default)]
struct Pending {
    changes: VecDeque<Change>,
    /// Clusters that need a full pass.
    full: BTreeSet<ClusterId>,
    /// Taken by the dispatcher and not yet queued.
    dispatching: bool,
}

impl Runtime {
    /// Nothing runs until `run` is called; changes may be fed before.
    pub fn new(clusters: Arc<dyn Clusters>, registrations: Vec<Registration>) -> Arc<Self> {
        let mut by_resource: HashMap<GroupResource, Vec<usize>> = HashMap::new();
        let mut of_everything = Vec::new();
        for (at, registration) in registrations.iter().enumerate() {
            if registration.reconciler.watches_everything() {
                of_everything.push(at);
                continue;
            }
            for resource in registration.reconciler.watches() {
                by_resource.entry(resource.group_resource()).or_default().push(at);
            }
        }
        Arc::new(Self {
            clusters,
            registrations,
            by_resource,
            of_everything,
            queue: Queue::default(),
            pending: Mutex::default(),
            arrived: Notify::new(),
            passes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anyone watches a resource: what nobody watches need not be fed.
    pub fn watches(&self, resource: &GroupResource) -> bool {
        !self.of_everything.is_empty() || self.by_resource.contains_key(resource)
    }

    /// Feeds changes, in the order of their commits. Returns at once.
    pub fn observe(&self, changes: impl IntoIterator<Item = Change>) {
        let mut pending = self.pending();
        for change in changes {
            if !self.watches(&change.resource) {
                continue;
            }
            if pending.changes.len() >= PENDING_MAX {
                pending.full.insert(change.cluster);
            } else {
                pending.changes.push_back(change);
            }
        }
        drop(pending);
        self.arrived.notify_one();
    }

    /// Asks for every object of a cluster to be looked at: on start and on wake.
    pub fn full_pass(&self, cluster: &ClusterId) {
        self.pending().full.insert(cluster.clone());
        self.arrived.notify_one();
    }

    /// Asks for every object of every cluster to be looked at: when the host came back.
    pub fn full_pass_everywhere(&self) {
        self.pending().full.extend(self.clusters.ids());
        self.arrived.notify_one();
    }

    /// Drops what is queued for a cluster that is gone.
    pub fn forget(&self, cluster: &ClusterId) {
        let mut pending = self.pending();
        pending.full.remove(cluster);
        pending.changes.retain(|change| change.cluster != *cluster);
        drop(pending);
        self.queue.forget(cluster);
    }

    /// Counters and depths.
    pub fn stats(&self) -> Stats {
        let (ready, delayed) = self.queue.depth();
        Stats {
            passes: self.passes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            ready,
            delayed,
        }
    }

    /// Whether everything that was fed has been worked off, delayed items aside.
    pub fn is_settled(&self) -> bool {
        let pending = self.pending();
        pending.changes.is_empty()
            && pending.full.is_empty()
            && !pending.dispatching
            && self.queue.is_settled()
    }

    /// Runs `workers` passes at a time until `shutdown` completes; then lets passes in flight finish.
    pub async fn run(self: Arc<Self>, workers: usize, shutdown: impl Future<Output = ()> + Send) {
        let mut tasks = JoinSet::new();
        for _ in 0..workers.max(1) {
            let runtime = self.clone();
            tasks.spawn(async move { runtime.work().await });
        }
        tokio::select! {
            () = shutdown => {}
            () = self.dispatch() => {}
        }
        self.queue.close();
        // Every worker must see the end; `close` wakes those that wait now, this those that come to wait.
        while tasks.join_next().await.is_some() {
            self.queue.close();
        }
    }

    async fn dispatch(&self) {
        let mut full_pass = tokio::time::interval(FULL_PASS_EVERY);
        full_pass.tick().await;
        loop {
            tokio::select! {
                () = self.arrived.notified() => {}
                _ = full_pass.tick() => self.pending().full.extend(self.clusters.ids()),
            }
            loop {
                let (changes, full) = {
                    let mut pending = self.pending();
                    let taken = (
                        std::mem::take(&mut pending.changes),
                        std::mem::take(&mut pending.full),
                    );
                    pending.dispatching = !(taken.0.is_empty() && taken.1.is_empty());
                    taken
                };
                if changes.is_empty() && full.is_empty() {
                    break;
                }
                for cluster in full {
                    self.feed_all(&cluster);
                    tokio::task::yield_now().await;
                }
                for change in changes {
                    self.feed(&change);
                }
            }
        }
    }

    fn feed(&self, change: &Change) {
        let Some(cluster) = self.clusters.cluster(&change.cluster, "warren") else {
            return;
        };
        let named = self.by_resource.get(&change.resource).into_iter().flatten();
        for &at in named.chain(&self.of_everything) {
            self.trigger(at, change, cluster.as_ref());
        }
    }

    fn trigger(&self, at: usize, change: &Change, cluster: &dyn Cluster) {
        let Some(registration) = self.registrations.get(at) else {
            return;
        };
        if !(registration.runs_in)(&change.cluster) {
            return;
        }
        let mut add = |id: ClusterId, key| self.queue.add(&id, Item { reconciler: at, key });
        let mut triggers = Triggers::new(change.cluster.clone(), &mut add);
        registration.reconciler.triggers(change, cluster, &mut triggers);
    }

    fn feed_all(&self, id: &ClusterId) {
        let Some(cluster) = self.clusters.cluster(id, "warren") else {
            return;
        };
        for (at, registration) in self.registrations.iter().enumerate() {
            for resource in Self::watched(registration.reconciler.as_ref(), cluster.as_ref()) {
                for object in cluster.list_any(&resource, None) {
                    let change = Change {
                        cluster: id.clone(),
                        resource: resource.clone(),
                        object,
                        previous: None,
                        deleted: false,
                    };
                    self.trigger(at, &change, cluster.as_ref());
                }
            }
        }
    }

    fn watched(reconciler: &dyn Reconciler, cluster: &dyn Cluster) -> Vec<GroupResource> {
        if reconciler.watches_everything() {
            let served = cluster.resources().into_iter();
            return served.map(|served| served.resource).collect();
        }
        let named = reconciler.watches().iter();
        named.map(warren_apimachinery::Resource::group_resource).collect()
    }

    async fn work(&self) {
        while let Some((cluster, item, failures)) = self.queue.next().await {
            let again = self.pass(&cluster, &item, failures).await;
            self.queue.done(&cluster, item, again);
        }
    }

    async fn pass(&self, id: &ClusterId, item: &Item, failures: u32) -> Again {
        let Some(reconciler) = self.registrations.get(item.reconciler).map(|r| &r.reconciler) else {
            return Again::OnChange;
        };
        let Some(cluster) = self.clusters.cluster(id, reconciler.actor()) else {
            return Again::OnChange;
        };
        let cx = Context {
            cluster,
            clusters: self.clusters.clone(),
            now: jiff::Timestamp::now(),
        };
        self.passes.fetch_add(1, Ordering::Relaxed);
        // One tenant's object must not end the worker of all: a panic is a failed pass.
        let pass = AssertUnwindSafe(reconciler.reconcile(&cx, &item.key));
        match futures_util::FutureExt::catch_unwind(pass).await {
            Ok(Ok(Next::Wait)) => Again::OnChange,
            Ok(Ok(Next::After(delay))) => Again::After(delay),
            Ok(Err(error)) => self.failed(id, item, reconciler.name(), (&error, failures)),
            Err(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(cluster = %id, key = %item.key, reconciler = reconciler.name(), "pass panicked");
                Again::Backoff
            }
        }
    }

    fn failed(
        &self,
        id: &ClusterId,
        item: &Item,
        name: &str,
        (error, before): (&ReconcileError, u32),
    ) -> Again {
        self.failures.fetch_add(1, Ordering::Relaxed);
        // Most failures are of the moment: something is not there yet, or somebody else was first.
        if before + 1 == FAILURES_WORTH_TELLING {
            tracing::warn!(cluster = %id, key = %item.key, reconciler = name, %error, "pass fails again and again");
        } else {
            tracing::debug!(cluster = %id, key = %item.key, reconciler = name, %error, "pass failed");
        }
        match error {
            ReconcileError::Never(_) => Again::OnChange,
            ReconcileError::Api(_) | ReconcileError::Retry(_) => Again::Backoff,
        }
    }
}
