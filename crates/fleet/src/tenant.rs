//! One cluster of the fleet. Everything that belongs to it hangs off this, and goes with it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use warren_access::{Access, Authenticators, Guard, Keys, Shared};
use warren_apimachinery::ClusterId;
use warren_apiserver::{Auditor, Backends, ClusterApi, ClusterParts, Tunnel};
use warren_pki::{Issued, PkiError};
use warren_registry::reserve::Reserve;
use warren_registry::{Catalogue, Parts, Registry};
use warren_storage::Store;

use crate::certificate::ServingCertificate;
use crate::listener::Listener;
use crate::names::NameServer;
use crate::served_definitions::ServedDefinitions;

/// See the module.
pub struct Tenant {
    id: ClusterId,
    registry: Arc<Registry>,
    guard: Arc<Guard>,
    api: Arc<ClusterApi>,
    auditor: Option<Arc<Auditor>>,
    definitions: ServedDefinitions,
    /// Made when the cluster is served for the first time.
    certificate: Arc<ServingCertificate>,
    /// Open while the cluster is served on a port of its own.
    listener: Mutex<Option<Arc<Listener>>>,
    /// Open while the cluster has DNS.
    name_server: Mutex<Option<Arc<NameServer>>>,
}

/// What a tenant is made of.
pub(crate) struct TenantParts {
    pub(crate) store: Arc<Store>,
    pub(crate) keys: Keys,
    pub(crate) authenticators: Authenticators,
    pub(crate) auditor: Option<Arc<Auditor>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) reserve: Arc<dyn Reserve>,
    pub(crate) tunnel: Arc<dyn Tunnel>,
    pub(crate) is_host: bool,
    pub(crate) backends: Option<Arc<dyn Backends>>,
}

impl Tenant {
    pub(crate) fn new(parts: TenantParts) -> Arc<Self> {
        let id = parts.store.cluster().clone();
        let guard = Guard::trusting(parts.shared, parts.keys, parts.authenticators);
        let registry = Registry::new(Parts {
            store: parts.store,
            catalogue: parts.catalogue,
            admission: guard.clone(),
            reserve: parts.reserve,
            reviews: guard.clone(),
            tokens: guard.clone(),
            converter: guard.clone(),
            clock: Arc::new(Timestamp::now),
        });
        let access = Arc::new(Access::new(Arc::clone(&registry), Arc::clone(&guard)));
        let api = ClusterApi::new(ClusterParts {
            id: id.clone(),
            registry: Arc::clone(&registry),
            access,
            tunnel: parts.tunnel,
            shows_process_metrics: parts.is_host,
            auditor: parts.auditor.clone(),
            backends: parts.backends,
        });
        Arc::new(Self {
            id,
            registry,
            guard,
            api,
            auditor: parts.auditor,
            definitions: ServedDefinitions::default(),
            certificate: Arc::default(),
            listener: Mutex::default(),
            name_server: Mutex::default(),
        })
    }

    /// Its name in the fleet.
    pub fn id(&self) -> &ClusterId {
        &self.id
    }

    /// The meaning of its objects.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Its API, as routes find it.
    pub fn api(&self) -> &Arc<ClusterApi> {
        &self.api
    }

    /// Its objects.
    pub fn store(&self) -> &Arc<Store> {
        self.registry.store()
    }

    /// What writes down its requests, if anything does.
    pub(crate) fn auditor(&self) -> Option<&Arc<Auditor>> {
        self.auditor.as_ref()
    }

    /// The certificate of its authority, as PEM.
    pub fn authority_pem(&self) -> &str {
        self.guard.authority().certificate_pem()
    }

    /// A certificate for an administrator, which holds for a year.
    ///
    /// # Errors
    /// When none could be made.
    pub fn issue_admin(&self, now: Timestamp) -> Result<Issued, PkiError> {
        self.guard
            .authority()
            .issue_client("kubernetes-admin", &["system:masters".to_owned()], now)
    }

    pub(crate) fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// What its custom resources are served by.
    pub(crate) fn definitions(&self) -> &ServedDefinitions {
        &self.definitions
    }

    /// What it is served with.
    pub(crate) fn certificate(&self) -> &Arc<ServingCertificate> {
        &self.certificate
    }

    /// Where it listens, if it does.
    pub fn listener(&self) -> Option<Arc<Listener>> {
        self.listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_listener(&self, listener: Option<Arc<Listener>>) -> Option<Arc<Listener>> {
        std::mem::replace(
            &mut self.listener.lock().unwrap_or_else(PoisonError::into_inner),
            listener,
        )
    }

    /// Its name server, if it has one.
    pub(crate) fn name_server(&self) -> Option<Arc<NameServer>> {
        self.name_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_name_server(&self, server: Option<Arc<NameServer>>) -> Option<Arc<NameServer>> {
        std::mem::replace(
            &mut self.name_server.lock().unwrap_or_else(PoisonError::into_inner),
            server,
        )
    }

    /// Where its names are answered, over UDP and TCP, if they are.
    pub fn dns(&self) -> Option<SocketAddr> {
        self.name_server().map(|server| server.address())
    }
}
