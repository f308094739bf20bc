//! The `Cluster` port over a real API server: one shared list and watch per wanted kind, a cache that never goes back,
//! writes that slow down with the host.
//!
//! Owns how a host is read, watched and written to. Does not own what is wanted of it, nor what any object means.

mod answer;
mod cache;
mod discovery;
mod envelope;
mod limit;
mod passing;
mod paths;
mod port;
mod port_forward;
mod source;
mod watch;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use smol_str::SmolStr;
use tokio::sync::{Notify, Semaphore, watch as state};
use tokio::task::JoinHandle;
use warren_apimachinery::resource::{CUSTOM_RESOURCE_DEFINITIONS, EVENTS};
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status};
use warren_reconciler::{Change, Runtime, Want, Which};

use crate::error::RemoteError;
use answer::Failure;
use cache::{Cache, Delta, Domain};
use discovery::Discovery;
use limit::Limiter;
use passing::Passing;
use source::{Source, Stage};
use wire::{Call, Wire};

pub use port_forward::PortForward;
pub use wire::{Origin, RequestBody, refusal};

/// How many lists are on their way to the host at once.
const LISTS: usize = 4;
/// How many events of the host are kept: they are looked at once, soon after they came.
const EVENTS_MAX: usize = 4096;
/// A host that is upgraded serves other versions, and nobody tells.
const DISCOVER_EVERY: Duration = Duration::from_secs(600);
const DISCOVER_AGAIN: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// What a port to a host is made with.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// What the host is called here.
    pub id: ClusterId,
    /// Where it is.
    pub origin: Origin,
    /// The label of objects that are ours.
    pub ours: &'static str,
    /// Only this namespace of the host, as far as kinds have one.
    pub namespace: Option<String>,
}

/// A host behind a real API server, written to in the name of one actor. Clones share everything.
#[derive(Clone)]
pub struct RemoteCluster {
    inner: Arc<Inner>,
    actor: &'static str,
}

struct Inner {
    id: ClusterId,
    ours: &'static str,
    namespace: Option<String>,
    wire: Wire,
    limiter: Arc<Limiter>,
    lists: Semaphore,
    kinds: ArcSwap<HashMap<GroupResource, Arc<Kind>>>,
    wants: Mutex<Wants>,
    passing: Passing,
    discovery: Discovery,
    /// Wakes who keeps `discovery` up to date.
    served: Notify,
    runtime: OnceLock<Arc<Runtime>>,
    /// Counts what became listed or refused.
    news: state::Sender<u64>,
    /// How many writes were sent.
    written: AtomicU64,
}

/// The cache of one resource.
struct Kind {
    resource: Resource,
    name: GroupResource,
    cache: RwLock<Cache>,
}

/// Who wants what, and what runs for it. Bound: the owners that are there, and kinds times their configured namespaces.
#[derive(Default)]
struct Wants {
    by_owner: HashMap<SmolStr, Vec<Want>>,
    running: HashMap<Want, Running>,
    /// Keeps what the host serves up to date, from the first want on.
    discovering: Option<JoinHandle<()>>,
}

struct Running {
    stage: state::Receiver<Stage>,
    task: JoinHandle<()>,
}

impl Kind {
    fn new(resource: Resource) -> Self {
        Self {
            name: resource.group_resource(),
            resource,
            cache: RwLock::default(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Cache> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Cache> {
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RemoteCluster {
    /// A port to a host, which nothing has been asked yet.
    ///
    /// # Errors
    /// What is wrong with the kubeconfig or the service account.
    pub async fn new(options: RemoteOptions) -> Result<Self, RemoteError> {
        let inner = Inner {
            wire: Wire::new(options.origin).await?,
            id: options.id,
            ours: options.ours,
            namespace: options.namespace,
            limiter: Arc::default(),
            lists: Semaphore::new(LISTS),
            kinds: ArcSwap::default(),
            wants: Mutex::default(),
            passing: Passing::default(),
            discovery: Discovery::default(),
            served: Notify::new(),
            runtime: OnceLock::new(),
            news: state::Sender::new(0),
            written: AtomicU64::new(0),
        };
        Ok(Self {
            inner: Arc::new(inner),
            actor: "warren",
        })
    }

    /// The same host, written to in another name: the field manager.
    #[must_use]
    pub fn acting_as(&self, actor: &'static str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            actor,
        }
    }

    /// Where it is.
    pub fn server(&self) -> &str {
        self.inner.wire.server()
    }

    /// The one namespace of the host that is looked into; `None` for all.
    pub fn namespace(&self) -> Option<&str> {
        self.inner.namespace.as_deref()
    }

    /// Whether the last request got no answer.
    pub fn is_silent(&self) -> bool {
        self.inner.wire.is_silent()
    }

    /// Changes each time the host answers again after it did not.
    pub fn returned(&self) -> state::Receiver<u64> {
        self.inner.wire.returned()
    }

    /// Changes each time something that is wanted was listed for the first time, or was refused.
    pub fn news(&self) -> state::Receiver<u64> {
        self.inner.news.subscribe()
    }

    /// From now on `runtime` hears of every change of what is cached. The first one stays.
    pub fn connect(&self, runtime: Arc<Runtime>) {
        let _ = self.inner.runtime.set(runtime);
    }

    /// What `owner` wants from now on, instead of what it wanted before. What nobody wants any more is not watched and
    /// leaves the cache.
    pub fn want(&self, owner: &str, wants: Vec<Want>) {
        let mut state = self.inner.wants();
        if wants.is_empty() {
            state.by_owner.remove(owner);
        } else if state.by_owner.get(owner) == Some(&wants) {
            return;
        } else {
            state.by_owner.insert(SmolStr::new(owner), wants);
        }
        if state.discovering.is_none() {
            state.discovering = Some(tokio::spawn(discover(Arc::clone(&self.inner))));
        }
        let wanted = union(state.by_owner.values());
        let ended: Vec<Want> = state
            .running
            .keys()
            .filter(|want| !wanted.contains(want))
            .cloned()
            .collect();
        for want in &ended {
            if let Some(running) = state.running.remove(want) {
                running.task.abort();
            }
        }
        self.inner.drop_unwanted(&ended, &wanted);
        for want in wanted {
            let entry = state.running.entry(want.clone());
            entry.or_insert_with(|| self.start(want));
        }
    }

    fn start(&self, want: Want) -> Running {
        let kind = self.inner.kind_of(&want.resource);
        let (sender, stage) = state::channel(Stage::Waiting);
        let source = Source {
            cluster: Arc::clone(&self.inner),
            kind,
            want,
            stage: sender,
        };
        Running {
            stage,
            task: tokio::spawn(source.run()),
        }
    }

    /// Whether all of `wants` have been listed: what is absent from the cache then is absent from the host. What the
    /// host refuses counts as listed once it did so; the answer names all of it.
    ///
    /// # Errors
    /// The first that is still being listed, or never was.
    pub fn in_step(&self, wants: &[Want]) -> Result<Vec<(Resource, Status)>, Resource> {
        let state = self.inner.wants();
        let mut refused = Vec::new();
        for want in wants {
            let all = Want::all(want.resource);
            let running = state.running.get(want).or_else(|| state.running.get(&all));
            match running.map(|running| running.stage.borrow().clone()) {
                Some(Stage::Listed) => {}
                Some(Stage::Refused(status)) => refused.push((want.resource, status)),
                Some(Stage::Waiting) | None => return Err(want.resource),
            }
        }
        Ok(refused)
    }

    /// Waits until `in_step` has an answer, which it is.
    pub async fn listed(&self, wants: &[Want]) -> Vec<(Resource, Status)> {
        let mut news = self.inner.news.subscribe();
        loop {
            if let Ok(refused) = self.in_step(wants) {
                return refused;
            }
            // The sender lives as long as we do.
            let _ = news.changed().await;
        }
    }

    /// Puts objects into the cache that were known before the host could be asked: they are followed, or removed, as
    /// soon as it answers.
    pub fn preload(&self, resource: &Resource, objects: impl IntoIterator<Item = Object>) {
        let kind = self.inner.kind_of(resource);
        let mut cache = kind.write();
        for object in objects {
            cache.seen(Arc::new(object));
        }
    }

    /// One object as the host has it now, past the cache.
    ///
    /// # Errors
    /// What the host answers.
    pub async fn read(&self, resource: &Resource, key: &ObjectKey) -> Result<Arc<Object>, Status> {
        let resource = &self.inner.complete(resource).await?;
        let path = paths::object(resource, key, None);
        let body = self.inner.wire.call(Call::get(&path, READ_TIMEOUT)).await?;
        port::object(resource, &body)?.ok_or_else(port::strange)
    }

    /// Any request of the host as raw HTTP, with our credentials: the answer's head whatever it says, its body as a
    /// stream. An answer that switches protocols is upgraded by `hyper::upgrade::on`.
    ///
    /// # Errors
    /// `ServiceUnavailable` when the host does not answer.
    pub async fn raw(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<hyper::body::Incoming>, Status> {
        Ok(self.inner.wire.send(request).await?)
    }

    /// How many objects are cached, by resource.
    pub fn cached(&self) -> Vec<(GroupResource, usize)> {
        let kinds = self.inner.kinds.load();
        kinds
            .values()
            .map(|kind| (kind.name.clone(), kind.read().len()))
            .collect()
    }

    /// How many writes are on their way, and how many may be.
    pub fn writes(&self) -> (usize, f64) {
        self.inner.limiter.depth()
    }

    /// How many writes were sent, refused ones included.
    pub fn writes_sent(&self) -> u64 {
        self.inner.written.load(Ordering::Relaxed)
    }

    /// Ends all watches.
    pub async fn close(&self) {
        let tasks: Vec<JoinHandle<()>> = {
            let mut state = self.inner.wants();
            state.by_owner.clear();
            let discovering = state.discovering.take();
            let watching = state.running.drain().map(|(_, running)| running.task);
            watching.chain(discovering).collect()
        };
        for task in tasks {
            task.abort();
            // Cut off, as it should be.
            let _ = task.await;
        }
    }
}

/// Never ends by itself.
async fn discover(cluster: Arc<Inner>) {
    let mut returned = cluster.wire.returned();
    loop {
        let pause = match cluster.discovery.refresh(&cluster.wire).await {
            Ok(()) => DISCOVER_EVERY,
            Err(failure) => {
                tracing::debug!(why = %failure, "the host does not tell what it serves");
                DISCOVER_AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cluster.served.notified() => {}
            _ = returned.changed() => {}
        }
    }
}

/// All that is wanted, without what a wider want includes.
fn union<'a>(owners: impl Iterator<Item = &'a Vec<Want>>) -> Vec<Want> {
    let mut wanted: Vec<Want> = Vec::new();
    for want in owners.flatten() {
        if !wanted.contains(want) {
            wanted.push(want.clone());
        }
    }
    let of_all: Vec<Resource> = wanted
        .iter()
        .filter(|want| want.which == Which::All)
        .map(|want| want.resource)
        .collect();
    wanted.retain(|want| want.which == Which::All || !of_all.contains(&want.resource));
    wanted
}

impl Inner {
    fn wants(&self) -> MutexGuard<'_, Wants> {
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A resource with all its names.
    async fn complete(&self, resource: &Resource) -> Result<Resource, Failure> {
        if let Some(complete) = self.discovery.complete(resource) {
            return Ok(complete);
        }
        self.discovery.refresh(&self.wire).await?;
        let complete = self.discovery.complete(resource);
        complete.ok_or_else(|| Failure::Answered(Status::path_not_found()))
    }

    fn kind(&self, resource: &GroupResource) -> Option<Arc<Kind>> {
        self.kinds.load().get(resource).cloned()
    }

    /// The cache of a resource, made if there is none.
    fn kind_of(&self, resource: &Resource) -> Arc<Kind> {
        let name = resource.group_resource();
        if let Some(kind) = self.kind(&name) {
            return kind;
        }
        let made = Arc::new(Kind::new(*resource));
        self.kinds.rcu(|kinds| {
            let mut kinds = HashMap::clone(kinds);
            kinds.entry(name.clone()).or_insert_with(|| Arc::clone(&made));
            kinds
        });
        self.kind(&name).unwrap_or(made)
    }

    /// What was preloaded stays until it is wanted for the first time.
    fn drop_unwanted(&self, ended: &[Want], wanted: &[Want]) {
        let kinds = self.kinds.load_full();
        let (kept, dropped): (Vec<_>, Vec<_>) = kinds.iter().partition(|(_, kind)| {
            let is_of = |want: &Want| want.resource.is(&kind.name);
            wanted.iter().any(is_of) || !ended.iter().any(is_of)
        });
        if !dropped.is_empty() {
            let kept = kept
                .iter()
                .map(|(name, kind)| (GroupResource::clone(name), Arc::clone(kind)));
            self.kinds.store(Arc::new(kept.collect()));
        }
        for kind in self.kinds.load().values() {
            let domains = self.domains(wanted, kind);
            if !domains.is_empty() && !domains.contains(&Domain::All) {
                kind.write().retain(&domains);
            }
        }
    }

    fn domains(&self, wanted: &[Want], kind: &Kind) -> Vec<Domain> {
        let of_kind = wanted.iter().filter(|want| want.resource.is(&kind.name));
        of_kind
            .map(|want| source::domain(&want.which, self.ours))
            .collect()
    }

    /// Whether an object would come by a watch as well, so that the cache learns when it changes.
    fn follows(&self, resource: &Resource, object: &Object) -> bool {
        let state = self.wants();
        let name = resource.group_resource();
        let running = state.running.keys().filter(|want| want.resource.is(&name));
        let mut domains = running.map(|want| source::domain(&want.which, self.ours));
        domains.any(|domain| domain.holds(object))
    }

    fn tell(&self, kind: &Kind, deltas: Vec<Delta>) {
        if deltas.is_empty() {
            return;
        }
        if CUSTOM_RESOURCE_DEFINITIONS.is(&kind.name) {
            self.served.notify_one();
        }
        let Some(runtime) = self.runtime.get() else {
            return;
        };
        runtime.observe(deltas.into_iter().map(|delta| Change {
            cluster: self.id.clone(),
            resource: kind.name.clone(),
            object: delta.object,
            previous: delta.previous,
            deleted: delta.deleted,
        }));
    }

    /// Whether an event is about an object that is cached.
    fn knows_subject(&self, event: &Object) -> bool {
        let Ok(About {
            involved_object: about,
        }) = event.view::<About>()
        else {
            return false;
        };
        let key = ObjectKey {
            namespace: about.namespace,
            name: about.name,
        };
        let kinds = self.kinds.load();
        let mut of_kind = kinds
            .values()
            .filter(|kind| kind.resource.kind == about.kind && kind.resource != EVENTS);
        of_kind.any(|kind| kind.read().get(&key).is_some())
    }
}

/// As much of an event as says what it is about.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct About {
    involved_object: Involved,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Involved {
    kind: SmolStr,
    namespace: SmolStr,
    name: SmolStr,
}
