//! The name server of a virtual cluster: what it answers from, whom it asks, and where it listens.
//!
//! Open while the cluster is resident. It keeps nothing of the cluster: every answer is read from the visible root.

mod rules;
mod view;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use warren_apimachinery::ObjectKey;
use warren_config::{VirtualCluster, VirtualClusterSpec};
use warren_dns::{ResolvConf, Server, Settings, Source, Upstreams, View};

use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::host_id;
use crate::tenant::Tenant;

use view::StoreView;

/// Where the resolver of this process is named.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The host's resolver, one for all virtual clusters.
pub(crate) struct Resolver {
    upstreams: Arc<Upstreams>,
    conf: ResolvConf,
}

impl Resolver {
    /// Asks `servers`, or those that the system names where there are none. What the system names is read once.
    pub(crate) fn new(servers: &[SocketAddr]) -> Self {
        let conf = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
        let conf = ResolvConf::parse(&conf);
        let servers = if servers.is_empty() {
            conf.servers.clone()
        } else {
            servers.to_vec()
        };
        Self {
            upstreams: Arc::new(Upstreams::new(servers)),
            conf,
        }
    }

    /// How a cluster's names are answered, by its configuration.
    fn settings(&self, spec: &VirtualClusterSpec) -> Result<Settings, FleetError> {
        let mut settings = Settings::of(&spec.networking.advanced.cluster_domain);
        settings.host_domain = self.conf.cluster_domain.clone();
        settings.falls_back_to_host = spec.networking.advanced.fallback_host_cluster;
        settings.rules = rules::read(&spec.networking.resolve_dns).map_err(FleetError::Names)?;
        Ok(settings)
    }
}

/// Sees to it that `tenant` has a name server as it is wanted; a new one is where the last one was, if that is free, so
/// that nothing on the host has to change.
///
/// # Errors
/// As [`NameServer::open`].
pub(crate) async fn serve(
    fleet: &Arc<Fleet>,
    tenant: &Arc<Tenant>,
    wanted: &VirtualCluster,
) -> Result<(), FleetError> {
    let spec = &wanted.spec;
    match (tenant.name_server(), spec.control_plane.coredns.enabled) {
        (None, false) => {}
        (None, true) => {
            let last = wanted
                .status
                .dns
                .parse()
                .map(|address: SocketAddr| address.port());
            let opened = NameServer::open(fleet, tenant, spec, last.unwrap_or_default()).await?;
            tenant.set_name_server(Some(opened));
        }
        (Some(open), true) => open.configure(fleet, spec)?,
        (Some(open), false) => {
            tenant.set_name_server(None);
            open.close().await;
        }
    }
    Ok(())
}

/// An open name server. Ends with `close`.
pub(crate) struct NameServer {
    server: Arc<Server>,
    cluster: Arc<ClusterNames>,
}

impl NameServer {
    /// Opens one for `tenant`, on `port` if that is free.
    ///
    /// # Errors
    /// `Names` when the configuration is wrong, `Address` when no port is to be had.
    pub(crate) async fn open(
        fleet: &Arc<Fleet>,
        tenant: &Arc<Tenant>,
        spec: &VirtualClusterSpec,
        port: u16,
    ) -> Result<Arc<Self>, FleetError> {
        let resolver = fleet.resolver();
        let cluster = Arc::new(ClusterNames {
            fleet: Arc::downgrade(fleet),
            tenant: Arc::downgrade(tenant),
            settings: RwLock::new(Arc::new(resolver.settings(spec)?)),
        });
        let address = fleet.options().address;
        let source = Arc::clone(&cluster);
        let opened = Server::open(address, port, source, Arc::clone(&resolver.upstreams)).await;
        let server = opened.map_err(|source| FleetError::Address {
            address: SocketAddr::new(address, port),
            source,
        })?;
        Ok(Arc::new(Self { server, cluster }))
    }

    /// Takes over a changed configuration: the next query is answered by it.
    ///
    /// # Errors
    /// `Names` when it is wrong; the last one stays.
    pub(crate) fn configure(&self, fleet: &Fleet, spec: &VirtualClusterSpec) -> Result<(), FleetError> {
        let settings = fleet.resolver().settings(spec)?;
        let mut current = self
            .cluster
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(settings);
        Ok(())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Ends it, and waits for that.
    pub(crate) async fn close(&self) {
        self.server.close().await;
    }
}

/// What one virtual cluster's names are answered from.
struct ClusterNames {
    fleet: Weak<Fleet>,
    tenant: Weak<Tenant>,
    settings: RwLock<Arc<Settings>>,
}

impl Source for ClusterNames {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn view(&self) -> Option<Box<dyn View>> {
        Some(StoreView::of(self.tenant.upgrade()?.as_ref()))
    }

    fn host(&self) -> Option<Box<dyn View>> {
        // The embedded host is a cluster of ours; of another one, its own resolver knows all services.
        Some(StoreView::of(self.fleet.upgrade()?.tenant(&host_id())?.as_ref()))
    }

    fn neighbour(&self, host_namespace: &str, name: &str) -> Option<Box<dyn View>> {
        let id = crate::virtual_cluster::cluster_id(&ObjectKey::namespaced(host_namespace, name));
        Some(StoreView::of(self.fleet.upgrade()?.tenant(&id)?.as_ref()))
    }
}
