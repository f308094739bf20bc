//! The fleet: every cluster of this process, and the one runtime that works for all of them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch;
use warren_access::Shared;
use warren_apimachinery::{ClusterId, Resource};
use warren_apiserver::{ApiServer, Backends, Tunnel};
use warren_journal_sqlite::SqliteJournal;
use warren_outbound::Calls;
use warren_reconciler::{Cluster, Clusters, Runtime};
use warren_registry::reserve::Reserve;
use warren_registry::{Catalogue, LocalCluster};
use warren_storage::{Journal, JournalError, MemoryJournal, Opened, Store};
use warren_syncer::{Binding, Bindings as _};

use crate::bindings::BindingTable;
use crate::error::FleetError;
use crate::feed::Feed;
use crate::front_door::Doorman;
use crate::host::host_id;
use crate::keys;
use crate::listener::{Alone, Listener};
use crate::metrics::{HostMetrics, WithMetrics};
use crate::names::Resolver;
use crate::options::Options;
use crate::real_host::RealHost;
use crate::template::{Template, blocking, is_template};
use crate::tenant::{Tenant, TenantParts};
use crate::virtual_cluster::is_host;
use crate::webhook_services::WebhookServices;

/// See the module. Made with `open`; the data is free again after `close`.
pub struct Fleet {
    options: Options,
    journal: Arc<dyn Journal>,
    template: Template,
    catalogue: Arc<Catalogue>,
    shared: Arc<Shared>,
    server: Arc<ApiServer>,
    feed: Arc<Feed>,
    /// Until someone mends: see `mend`.
    failed: Mutex<Option<UnboundedReceiver<ClusterId>>>,
    /// Told whenever a cluster begins to listen.
    opened: watch::Sender<()>,
    /// Open from `open_front_door` to `close`.
    front_door: Mutex<Option<Arc<Listener>>>,
    runtime: OnceLock<Arc<Runtime>>,
    /// None where the host is embedded.
    real_host: OnceLock<RealHost>,
    /// Made when the first name server opens.
    resolver: OnceLock<Resolver>,
    /// How servers that tenants name are reached.
    calls: OnceLock<Arc<Calls>>,
    /// Which host object stands for which of a tenant's; there from the first virtual cluster on.
    bindings: OnceLock<Arc<BindingTable>>,
    /// What virtual clusters are shown of the host's metrics.
    metrics: OnceLock<Arc<HostMetrics>>,
    clusters: RwLock<HashMap<ClusterId, Arc<Tenant>>>,
}

/// How a cluster differs from others of the fleet.
pub(crate) struct Nature {
    pub(crate) reserve: Arc<dyn Reserve>,
    pub(crate) tunnel: Arc<dyn Tunnel>,
    pub(crate) is_host: bool,
}

impl Nature {
    /// Of a virtual cluster: what its pods and Services need comes from its host.
    pub(crate) fn of_virtual(fleet: &Arc<Fleet>, bindings: &Arc<BindingTable>) -> Self {
        // There is one table in a process.
        fleet.bindings.get_or_init(|| Arc::clone(bindings));
        Self {
            reserve: Arc::new(crate::service_address::HostAddresses {
                fleet: Arc::downgrade(fleet),
                bindings: Arc::clone(bindings),
            }),
            tunnel: Arc::new(crate::tunnel::ToHost::new(
                Arc::downgrade(fleet),
                Arc::clone(bindings),
            )),
            is_host: false,
        }
    }
}

impl Fleet {
    /// Opens the data. Nothing is served and nothing runs yet.
    ///
    /// # Errors
    /// `Journal(Locked)` when another process has the data; what else the store says.
    pub async fn open(options: Options) -> Result<Arc<Self>, FleetError> {
        let journal = journal(&options).await?;
        Self::open_over(journal, options).await
    }

    /// The same, with the data in `journal`, wherever that keeps it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn open_over(journal: Arc<dyn Journal>, options: Options) -> Result<Arc<Self>, FleetError> {
        let catalogue = Arc::new(Catalogue::new(warren_resources::definitions()));
        let (failed, failures) = mpsc::unbounded_channel();
        let template = Template::load_or_make(&journal, &catalogue, Timestamp::now()).await?;
        let fleet = Arc::new(Self {
            options,
            journal,
            template,
            catalogue,
            shared: Shared::new(),
            server: Arc::new(ApiServer::new()),
            feed: Arc::new(Feed::new(failed)),
            failed: Mutex::new(Some(failures)),
            opened: watch::Sender::new(()),
            front_door: Mutex::default(),
            runtime: OnceLock::new(),
            real_host: OnceLock::new(),
            resolver: OnceLock::new(),
            calls: OnceLock::new(),
            bindings: OnceLock::new(),
            metrics: OnceLock::new(),
            clusters: RwLock::default(),
        });
        let services = WebhookServices(Arc::downgrade(&fleet));
        let calls = Arc::new(Calls::new(services));
        fleet.shared.reach_by(Arc::clone(&calls) as _);
        // Nobody else sets it.
        let _ = fleet.calls.set(calls);
        Ok(fleet)
    }

    /// How servers that tenants name are reached; there from the first moment on.
    pub(crate) fn calls(&self) -> Option<Arc<Calls>> {
        self.calls.get().cloned()
    }

    /// How a virtual cluster is bound to its host.
    pub(crate) fn binding(&self, cluster: &ClusterId) -> Option<Arc<Binding>> {
        self.bindings.get()?.of_virtual(cluster)
    }

    /// How it was started.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// From now on the host is a real one. The first one stays.
    pub(crate) fn is_on(&self, host: RealHost) {
        let _ = self.real_host.set(host);
    }

    /// From now on clusters that become resident may show the host's metrics. The first one stays.
    pub(crate) fn measured_by(&self, metrics: Arc<HostMetrics>) {
        let _ = self.metrics.set(metrics);
    }

    /// What answers in a cluster beside its own registry.
    fn backends(&self) -> Arc<dyn Backends> {
        Arc::new(WithMetrics {
            metrics: self.metrics.get().cloned(),
            others: self.calls().map(|calls| calls as _),
        })
    }

    pub(crate) fn real_host(&self) -> Option<&RealHost> {
        self.real_host.get()
    }

    /// The cluster of that name, if it is resident.
    pub fn tenant(&self, id: &ClusterId) -> Option<Arc<Tenant>> {
        self.clusters
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    /// All clusters that the data holds, templates aside.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn known(&self) -> Result<Vec<ClusterId>, FleetError> {
        let all = blocking(&self.journal, &ClusterId::new(""), |journal, _| {
            journal.clusters()
        })
        .await??;
        Ok(all.into_iter().filter(|id| !is_template(id)).collect())
    }

    /// Makes a cluster resident: the one that is there, or a new fork of the template. The second value says
    /// whether it is new.
    pub(crate) async fn load_or_make(
        &self,
        id: &ClusterId,
        nature: Nature,
    ) -> Result<(Arc<Tenant>, bool), FleetError> {
        if let Some(tenant) = self.tenant(id) {
            return Ok((tenant, false));
        }
        let (store, new) = self.store(id).await?;
        let mut keys = keys::load_or_make(&store, Timestamp::now()).await?;
        let api = self.options.apis.get(id).cloned().unwrap_or_default();
        keys.fixed_tokens.extend(api.fixed_tokens.clone());
        let tenant = Tenant::new(TenantParts {
            store,
            keys,
            authenticators: api.authenticators(),
            auditor: api.auditor()?,
            shared: Arc::clone(&self.shared),
            backends: Some(self.backends()),
            catalogue: Arc::clone(&self.catalogue),
            reserve: nature.reserve,
            tunnel: nature.tunnel,
            is_host: nature.is_host,
        });
        if let Some(admission) = &api.admission {
            tenant.guard().set_admission(Arc::clone(admission));
        }
        crate::custom_resources::serve(&tenant);
        if !new && !self.is_as_template(&tenant) {
            crate::virtual_cluster::restore(&tenant).await?;
        }
        let mut clusters = self.clusters.write().unwrap_or_else(PoisonError::into_inner);
        clusters.insert(id.clone(), Arc::clone(&tenant));
        Ok((tenant, new))
    }

    /// Whether these resources stand in the cluster as in the template.
    pub(crate) fn is_untouched(&self, tenant: &Tenant, resources: &[Resource]) -> bool {
        let (now, root) = (tenant.store().snapshot(), &self.template.root);
        resources
            .iter()
            .all(|resource| now.same(root, &resource.group_resource()))
    }

    /// Whether everything that the template holds stands in the cluster unchanged.
    fn is_as_template(&self, tenant: &Tenant) -> bool {
        let (now, root) = (tenant.store().snapshot(), &self.template.root);
        root.resources().all(|resource| now.same(root, resource))
    }

    async fn store(&self, id: &ClusterId) -> Result<(Arc<Store>, bool), FleetError> {
        let listener = || Arc::clone(&self.feed) as Arc<dyn warren_storage::CommitListener>;
        let journal = || Arc::clone(&self.journal);
        let opened: Result<Opened, JournalError> =
            blocking(&self.journal, id, |journal, id| journal.open(id)).await?;
        match opened {
            Ok(opened) => {
                let root = &self.template.root;
                Ok((
                    Store::open_over(root, id.clone(), journal(), opened, listener()),
                    false,
                ))
            }
            Err(JournalError::UnknownCluster(_)) => {
                let base = self.template.id.clone();
                let made = blocking(&self.journal, id, move |journal, id| {
                    journal.create(id, Some(&base))
                });
                let epoch = made.await??;
                Ok((
                    Store::fork(&self.template.root, id.clone(), journal(), epoch, listener()),
                    true,
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a port for a cluster: `preferred` if it is given and free; any, where it was only preferred. A cluster that
    /// is served already stays where it is, unless it must be elsewhere.
    pub(crate) async fn listen(
        &self,
        tenant: &Tenant,
        preferred: Port,
        names: &[String],
    ) -> Result<Arc<Listener>, FleetError> {
        self.certify(tenant, names)?;
        if let Some(listener) = tenant.listener() {
            let wanted = match preferred {
                Port::Exactly(port) => port,
                Port::Rather(_) | Port::Any => listener.address().port(),
            };
            if listener.address().port() == wanted {
                return Ok(listener);
            }
        }
        let (socket, address) = self.bind(preferred).await?;
        let alone = Alone {
            cluster: Arc::clone(tenant.api()),
            certificate: Arc::clone(tenant.certificate()),
        };
        let listener = Listener::open(socket, address, &self.server, Arc::new(alone));
        // The cluster moved to another port: the new one is open before the old one closes.
        let old = tenant.set_listener(Some(Arc::clone(&listener)));
        self.opened.send_replace(());
        if let Some(old) = old {
            old.close().await;
        }
        Ok(listener)
    }

    /// Opens the front door, where one is wanted.
    ///
    /// # Errors
    /// `Address` where it cannot listen there.
    pub(crate) async fn open_front_door(self: &Arc<Self>) -> Result<(), FleetError> {
        let Some(door) = self.options.front_door.clone() else {
            return Ok(());
        };
        let address = door.address;
        let wrong = |source| FleetError::Address { address, source };
        let socket = TcpListener::bind(address).await.map_err(wrong)?;
        let address = socket.local_addr().map_err(wrong)?;
        let doorman = Doorman {
            fleet: Arc::downgrade(self),
            door,
        };
        let listener = Listener::open(socket, address, &self.server, Arc::new(doorman));
        *self.front_door.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
        Ok(())
    }

    /// Where the front door is, once it is open.
    pub fn front_door(&self) -> Option<SocketAddr> {
        let door = self.front_door.lock().unwrap_or_else(PoisonError::into_inner);
        door.as_ref().map(|listener| listener.address())
    }

    async fn bind(&self, port: Port) -> Result<(TcpListener, SocketAddr), FleetError> {
        let wanted = match port {
            Port::Exactly(port) | Port::Rather(port) => port,
            Port::Any => 0,
        };
        let address = SocketAddr::new(self.options.address, wanted);
        let bound = match TcpListener::bind(address).await {
            Err(_) if matches!(port, Port::Rather(_)) => {
                TcpListener::bind(SocketAddr::new(self.options.address, 0)).await
            }
            bound => bound,
        };
        let socket = bound.map_err(|source| FleetError::Address { address, source })?;
        let local = socket
            .local_addr()
            .map_err(|source| FleetError::Address { address, source })?;
        Ok((socket, local))
    }

    /// Sees to it that the cluster has a certificate for `extra` and the names that every cluster has.
    fn certify(&self, tenant: &Tenant, extra: &[String]) -> Result<(), FleetError> {
        let now = Timestamp::now();
        if tenant.certificate().is_for(extra, now) {
            return Ok(());
        }
        let wrong = |source| FleetError::Keys {
            cluster: tenant.id().clone(),
            source,
        };
        let mut names: Vec<String> = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut addresses = vec![IpAddr::from([127, 0, 0, 1]), self.options.address];
        addresses.extend(self.options.advertise);
        for name in extra {
            match name.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => names.push(name.clone()),
            }
        }
        let issued = tenant
            .guard()
            .authority()
            .issue_server(&names, &addresses, now)
            .map_err(wrong)?;
        let tls = warren_pki::server_config(&issued, &[]).map_err(wrong)?;
        tenant.certificate().replace(extra, tls, now);
        Ok(())
    }

    /// Removes a cluster and all that it holds.
    ///
    /// # Errors
    /// The store's failure; the cluster is no longer served even then.
    pub async fn remove(&self, id: &ClusterId) -> Result<(), FleetError> {
        let gone = self
            .clusters
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(tenant) = gone {
            shut(&tenant).await;
        }
        blocking(&self.journal, id, |journal, id| journal.delete(id)).await??;
        Ok(())
    }

    /// The clusters whose store fails from now on; taken once, by whoever mends them.
    pub(crate) fn failures(&self) -> Option<UnboundedReceiver<ClusterId>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Who is asked for names that are of no virtual cluster.
    pub(crate) fn resolver(&self) -> &Resolver {
        self.resolver
            .get_or_init(|| Resolver::new(&self.options.upstream_dns))
    }

    /// Changes when a cluster begins to listen from now on.
    pub(crate) fn opened(&self) -> watch::Receiver<()> {
        self.opened.subscribe()
    }

    /// From now on `runtime` works for all clusters.
    pub(crate) fn connect(&self, runtime: Arc<Runtime>) {
        self.feed.connect(Arc::clone(&runtime));
        // The first one stays, as in the feed.
        let _ = self.runtime.set(runtime);
    }

    /// A cluster became resident: everything in it is looked at.
    pub(crate) fn woke(&self, id: &ClusterId) {
        if let Some(runtime) = self.runtime.get() {
            runtime.full_pass(id);
        }
    }

    /// A cluster goes: what is queued for it goes with it.
    pub(crate) fn forget(&self, id: &ClusterId) {
        if let Some(runtime) = self.runtime.get() {
            runtime.forget(id);
        }
    }

    /// Closes every listener and store. What was acknowledged is durable already.
    pub async fn close(&self) {
        let door = self
            .front_door
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(door) = door {
            door.close().await;
        }
        let all: Vec<Arc<Tenant>> = {
            let mut clusters = self.clusters.write().unwrap_or_else(PoisonError::into_inner);
            clusters.drain().map(|(_, tenant)| tenant).collect()
        };
        for tenant in all {
            shut(&tenant).await;
        }
        if let Some(calls) = self.calls() {
            calls.close().await;
        }
        let journal = Arc::clone(&self.journal);
        if tokio::task::spawn_blocking(move || journal.close())
            .await
            .is_err()
        {
            tracing::error!("closing the journal was cut off");
        }
    }
}

/// Which port a cluster should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// This one and no other.
    Exactly(u16),
    /// This one if it is free.
    Rather(u16),
    /// Whichever is free.
    Any,
}

async fn shut(tenant: &Tenant) {
    if let Some(listener) = tenant.set_listener(None) {
        listener.close().await;
    }
    if let Some(names) = tenant.set_name_server(None) {
        names.close().await;
    }
    tenant.store().close().await;
    let Some(auditor) = tenant.auditor().cloned() else {
        return;
    };
    if tokio::task::spawn_blocking(move || auditor.log.close())
        .await
        .is_err()
    {
        tracing::error!("closing the audit log was cut off");
    }
}

async fn journal(options: &Options) -> Result<Arc<dyn Journal>, FleetError> {
    let Some(directory) = options.data_dir.clone() else {
        return Ok(Arc::new(MemoryJournal::new()));
    };
    let opened = tokio::task::spawn_blocking(move || SqliteJournal::open(&directory)).await;
    Ok(Arc::new(opened.map_err(|_| FleetError::CutOff)??))
}

/// The fleet as its runtime sees it: the fleet owns the runtime, not the other way round.
pub(crate) struct Found(pub(crate) Weak<Fleet>);

impl Clusters for Found {
    fn cluster(&self, id: &ClusterId, actor: &'static str) -> Option<Arc<dyn Cluster>> {
        self.0.upgrade()?.cluster(id, actor)
    }

    fn ids(&self) -> Vec<ClusterId> {
        self.0.upgrade().map(|fleet| fleet.ids()).unwrap_or_default()
    }
}

impl Clusters for Fleet {
    fn cluster(&self, id: &ClusterId, actor: &'static str) -> Option<Arc<dyn Cluster>> {
        if let Some(host) = self.real_host()
            && is_host(id)
        {
            return Some(host.acting_as(actor));
        }
        let tenant = self.tenant(id)?;
        Some(Arc::new(LocalCluster::new(Arc::clone(tenant.registry()), actor)))
    }

    fn ids(&self) -> Vec<ClusterId> {
        let clusters = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        let host = self.real_host().map(|_| host_id());
        clusters.keys().cloned().chain(host).collect()
    }
}
