//! Two real clusters in one process, a virtual one and its host, and the rules at work between them.

use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, Resource, Status, UserInfo, resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{
    Change, Cluster, Clusters, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Registration,
    Runtime, Triggers,
};
use warren_registry::admission::AdmitAll;
use warren_registry::definition::Definition;
use warren_registry::local::change;
use warren_registry::reserve::{Cidr, LocalAddresses};
use warren_registry::token::{IssuedToken, TokenClaims};
use warren_registry::{Catalogue, LocalCluster, NoReviews, Parts, Registry, Reserve, TokenIssuer};
use warren_storage::{CommitListener, Event, Journal, MemoryJournal, Store};
use warren_syncer::{Binding, Bindings, service};
use warren_translate::Host;

pub(crate) const HOST_NAMESPACE: &str = "team-a";

/// Feeds commits to the runtime, as the fleet does.
#[derive(Default)]
struct Feed(OnceLock<Arc<Runtime>>);

impl CommitListener for Feed {
    fn committed(&self, cluster: &ClusterId, events: &[Event]) {
        if let Some(runtime) = self.0.get() {
            runtime.observe(events.iter().map(|event| change(cluster, event)));
        }
    }
}

struct Issuer;

impl TokenIssuer for Issuer {
    fn issue(&self, claims: &TokenClaims<'_>) -> Result<IssuedToken, Status> {
        Ok(IssuedToken {
            token: format!(
                "{}/{} for {:?}",
                claims.namespace, claims.service_account, claims.audiences
            ),
            expires: claims.now + jiff::SignedDuration::from_secs(claims.expiration_seconds),
            audiences: claims.audiences.clone(),
        })
    }
}

/// The virtual clusters of the test, all bound to one host namespace.
struct Table(RwLock<Vec<Arc<Binding>>>);

impl Table {
    fn find(&self, is: impl Fn(&Binding) -> bool) -> Option<Arc<Binding>> {
        self.0.read().unwrap().iter().find(|binding| is(binding)).cloned()
    }
}

impl Bindings for Table {
    fn of_virtual(&self, cluster: &ClusterId) -> Option<Arc<Binding>> {
        self.find(|binding| binding.virtual_cluster == *cluster)
    }

    fn of_host(&self, host: &ClusterId, namespace: &str, managed_by: &str) -> Option<Arc<Binding>> {
        self.find(|binding| {
            binding.host_cluster == *host
                && binding.tenant.lives_in(Host(namespace))
                && binding.tenant.cluster() == managed_by
        })
    }

    fn on_host(&self, host: &ClusterId) -> Vec<Arc<Binding>> {
        let mut all = self.0.read().unwrap().clone();
        all.retain(|binding| binding.host_cluster == *host);
        all
    }
}

struct Ports(Vec<Arc<Registry>>);

impl Clusters for Ports {
    fn cluster(&self, id: &ClusterId, actor: &'static str) -> Option<Arc<dyn Cluster>> {
        let registry = self.0.iter().find(|registry| registry.store().cluster() == id)?;
        Some(Arc::new(LocalCluster::new(Arc::clone(registry), actor)))
    }

    fn ids(&self) -> Vec<ClusterId> {
        self.0
            .iter()
            .map(|registry| registry.store().cluster().clone())
            .collect()
    }
}

/// Serves what a cluster's definitions say, as the fleet does.
struct Serving(Vec<Arc<Registry>>);

#[async_trait]
impl Reconciler for Serving {
    fn name(&self) -> &'static str {
        "serving"
    }

    fn watches(&self) -> &'static [Resource] {
        &[resource::CUSTOM_RESOURCE_DEFINITIONS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        out.add(change.object.key());
    }

    async fn reconcile(&self, cx: &Context, _: &ObjectKey) -> Result<Next, ReconcileError> {
        let definitions = cx.cluster.list(&resource::CUSTOM_RESOURCE_DEFINITIONS, None);
        let served = definitions
            .iter()
            .filter_map(|object| warren_resources::custom::definition(&object.to_value()).ok());
        let served = served.map(Arc::new).collect();
        let registry = self
            .0
            .iter()
            .find(|registry| registry.store().cluster() == cx.cluster.id());
        registry.unwrap().set_custom(served);
        Ok(Next::Wait)
    }
}

/// A virtual cluster's Services get their addresses from the host, as in the fleet.
struct HostAddresses {
    host: Arc<Registry>,
    binding: Arc<Binding>,
}

#[async_trait]
impl Reserve for HostAddresses {
    fn concerns(&self, definition: &Definition) -> bool {
        resource::SERVICES.is(&definition.storage)
    }

    async fn reserve(
        &self,
        _: &Registry,
        _: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status> {
        let host = LocalCluster::new(Arc::clone(&self.host), "warren-syncer");
        service::reserve(&host, &self.binding, object, old, dry_run).await
    }

    async fn undo(&self, _: &Registry, _: &Definition, object: &Value, old: Option<&Value>) {
        let host = LocalCluster::new(Arc::clone(&self.host), "warren-syncer");
        service::undo(&host, &self.binding, object, old).await;
    }

    async fn release(&self, _: &Registry, _: &Definition, _: &Value, _: Option<&Value>) {}
}

/// A cluster as its user sees it.
pub(crate) struct Side {
    port: LocalCluster,
}

impl Side {
    fn new(registry: &Arc<Registry>) -> Self {
        Self {
            port: LocalCluster::as_user(Arc::clone(registry), "kubectl", UserInfo::system("admin")),
        }
    }

    pub(crate) async fn create(&self, resource: &Resource, object: Value) -> Value {
        self.port.create(resource, object).await.unwrap().to_value()
    }

    pub(crate) async fn patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Value {
        self.port
            .merge_patch(resource, key, part, patch)
            .await
            .unwrap()
            .to_value()
    }

    pub(crate) async fn delete(&self, resource: &Resource, key: &ObjectKey, grace: Option<i64>) {
        let options = DeleteOptions {
            grace_period_seconds: grace,
            ..DeleteOptions::default()
        };
        self.port.delete(resource, key, options).await.unwrap();
    }

    pub(crate) async fn post(&self, resource: &Resource, key: &ObjectKey, part: &str, body: Value) {
        self.port.post(resource, key, part, body).await.unwrap();
    }

    pub(crate) fn find(&self, resource: &Resource, key: &ObjectKey) -> Option<Value> {
        self.port.get(resource, key).map(|object| object.to_value())
    }

    #[track_caller]
    pub(crate) fn value(&self, resource: &Resource, key: &ObjectKey) -> Value {
        self.find(resource, key)
            .unwrap_or_else(|| panic!("{} {key} is not there", resource.kind))
    }

    pub(crate) fn list(&self, resource: &Resource) -> Vec<Value> {
        self.port
            .list(resource, None)
            .iter()
            .map(|object| object.to_value())
            .collect()
    }

    pub(crate) fn names(&self, resource: &Resource) -> Vec<String> {
        self.port
            .list(resource, None)
            .iter()
            .map(|object| object.meta().name.to_string())
            .collect()
    }

    /// The warnings about an object.
    pub(crate) fn warnings(&self, name: &str) -> Vec<String> {
        let events = self.list(&resource::EVENTS);
        let about = events
            .iter()
            .filter(|event| event.text("/involvedObject/name") == name && event.text("/type") == "Warning");
        about.map(|event| event.text("/message").to_owned()).collect()
    }

    pub(crate) fn port(&self) -> &LocalCluster {
        &self.port
    }

    /// Grows with every write.
    pub(crate) fn revision(&self) -> String {
        self.port.registry().store().snapshot().revision().to_string()
    }
}

/// See the module. The runtime ends with it.
pub(crate) struct World {
    pub(crate) host: Side,
    pub(crate) tenant: Side,
    /// A second virtual cluster in the same host namespace.
    pub(crate) neighbour: Side,
    /// The tenant's.
    pub(crate) binding: Arc<Binding>,
    table: Arc<Table>,
    runtime: Arc<Runtime>,
    ids: Vec<ClusterId>,
    stop: Option<oneshot::Sender<()>>,
    _running: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose virtual clusters are configured by `configure`.
    pub(crate) async fn with(configure: impl Fn(&mut VirtualClusterSpec)) -> Self {
        let feed = Arc::new(Feed::default());
        let host = registry(
            "host",
            &feed,
            Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
        );
        let mut spec = VirtualClusterSpec::default();
        configure(&mut spec);
        let bindings = ["demo", "other"].map(|name| {
            Arc::new(Binding {
                virtual_cluster: ClusterId::new(format!("{HOST_NAMESPACE}/{name}")),
                host_cluster: ClusterId::new("host"),
                tenant: warren_syncer::names(name, HOST_NAMESPACE, &spec),
                spec: Arc::new(spec.clone()),
                owner: Some(
                    json!({"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster", "name": name,
                    "uid": format!("owner-{name}")}),
                ),
                api: Some(("10.96.0.99".to_owned(), 443)),
                dns: None,
            })
        });
        let [binding, _] = bindings.clone();
        let tenants = bindings.clone().map(|binding| {
            let id = binding.virtual_cluster.to_string();
            let host = Arc::clone(&host);
            registry(&id, &feed, Arc::new(HostAddresses { host, binding }))
        });
        let registries: Vec<Arc<Registry>> = [&host].into_iter().chain(&tenants).cloned().collect();
        let table = Arc::new(Table(RwLock::new(bindings.to_vec())));
        let rules = warren_syncer::all(Arc::clone(&table) as Arc<dyn Bindings>);
        let serving: Arc<dyn Reconciler> = Arc::new(Serving(registries.clone()));
        let registrations = rules.into_iter().chain([serving]).map(|reconciler| Registration {
            reconciler,
            runs_in: |_| true,
        });
        let runtime = Runtime::new(Arc::new(Ports(registries.clone())), registrations.collect());
        feed.0.set(Arc::clone(&runtime)).ok().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(Arc::clone(&runtime).run(2, async move {
            let _ = stopped.await;
        }));
        let [demo, other] = &tenants;
        let world = Self {
            host: Side::new(&host),
            tenant: Side::new(demo),
            neighbour: Side::new(other),
            binding,
            table,
            runtime,
            ids: registries
                .iter()
                .map(|registry| registry.store().cluster().clone())
                .collect(),
            stop: Some(stop),
            _running: running,
        };
        world.furnish().await;
        world
    }

    /// What controllers would have put there.
    async fn furnish(&self) {
        let namespace =
            |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.host
            .create(&resource::NAMESPACES, namespace(HOST_NAMESPACE))
            .await;
        for side in [&self.tenant, &self.neighbour] {
            for name in ["default", "kube-system", "shop"] {
                side.create(&resource::NAMESPACES, namespace(name)).await;
                let metadata = json!({"name": "default", "namespace": name});
                side.create(
                    &resource::SERVICE_ACCOUNTS,
                    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
                )
                .await;
                let metadata = json!({"name": "kube-root-ca.crt", "namespace": name});
                side.create(
                    &resource::CONFIG_MAPS,
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
                    "data": {"ca.crt": "root"}}),
                )
                .await;
            }
        }
        self.settle().await;
    }

    /// Waits until the rules have nothing left to do.
    pub(crate) async fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut calm = 0;
        while calm < 3 {
            calm = if self.runtime.is_settled() { calm + 1 } else { 0 };
            assert!(
                Instant::now() < deadline,
                "the rules do not come to rest: {:?}",
                self.runtime.stats()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until `is` holds.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is(self) {
            assert!(Instant::now() < deadline, "never came: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Everything is looked at again.
    pub(crate) fn full_pass(&self) {
        self.ids.iter().for_each(|id| self.runtime.full_pass(id));
    }

    /// Another configuration of the tenant's, as the fleet applies it: a new binding, and a look at everything.
    pub(crate) async fn configure(&self, change: impl Fn(&mut VirtualClusterSpec)) {
        for binding in self.table.0.write().unwrap().iter_mut() {
            if binding.tenant.cluster() == "demo" {
                let mut changed = Binding::clone(binding);
                change(Arc::make_mut(&mut changed.spec));
                *binding = Arc::new(changed);
            }
        }
        self.full_pass();
        self.settle().await;
    }

    /// Everything is looked at again; nobody may find anything to write.
    pub(crate) async fn nothing_left_to_write(&self) {
        self.settle().await;
        let revisions = || [&self.host, &self.tenant, &self.neighbour].map(Side::revision);
        let before = revisions();
        self.full_pass();
        self.settle().await;
        assert_eq!(revisions(), before, "a second pass wrote");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn registry(id: &str, feed: &Arc<Feed>, reserve: Arc<dyn Reserve>) -> Arc<Registry> {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let id = ClusterId::new(id);
    journal.create(&id, None).unwrap();
    let opened = journal.open(&id).unwrap();
    let listener: Arc<dyn CommitListener> = Arc::<Feed>::clone(feed);
    Registry::new(Parts {
        store: Store::open(id, journal, opened, listener),
        catalogue: Arc::new(Catalogue::new(warren_resources::definitions())),
        admission: Arc::new(AdmitAll),
        reserve,
        reviews: Arc::new(NoReviews),
        tokens: Arc::new(Issuer),
        converter: Arc::new(warren_registry::NoConverter),
        clock: Arc::new(Timestamp::now),
    })
}

/// A key in the namespace `shop` of a virtual cluster.
pub(crate) fn shop(name: &str) -> ObjectKey {
    ObjectKey::namespaced("shop", name)
}

/// A key in the host namespace.
pub(crate) fn on_host(name: &str) -> ObjectKey {
    ObjectKey::namespaced(HOST_NAMESPACE, name)
}

/// A pod in `shop`.
pub(crate) fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "web:1"}]}})
}

/// A definition of a namespaced kind with a free spec and a status.
pub(crate) fn definition(resource: &Resource) -> Value {
    let scope = match resource.scope {
        resource::Scope::Namespaced => "Namespaced",
        resource::Scope::Cluster => "Cluster",
    };
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.group_resource().to_string(),
            "annotations": {"api-approved.kubernetes.io": "https://example.com"}},
        "spec": {"group": resource.group, "scope": scope,
            "names": {"plural": resource.plural, "kind": resource.kind, "singular": resource.kind.to_lowercase(),
                "listKind": format!("{}List", resource.kind)},
            "versions": [{"name": resource.version, "served": true, "storage": true, "schema": schema,
                "subresources": {"status": {}}}]}})
}

/// Whether `part` is in `whole`: every field of it, and every element of its lists in order.
pub(crate) fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| holds(whole.get(key).unwrap_or(&Value::Null), value)),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        (whole, part) => whole == part,
    }
}

/// A config map or secret in `shop`.
pub(crate) fn data(kind: &str, name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "data": data})
}
