//! A binding: which virtual cluster is kept in step with which host, and how.

use std::sync::Arc;

use smol_str::SmolStr;
use warren_apimachinery::ClusterId;
use warren_config::VirtualClusterSpec;
use warren_translate::Tenant;

/// A virtual cluster and its place on a host. Immutable; a changed configuration is a new binding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The virtual cluster in the fleet.
    pub virtual_cluster: ClusterId,
    /// The host cluster in the fleet.
    pub host_cluster: ClusterId,
    /// How names cross.
    pub tenant: Tenant,
    /// What is wanted.
    pub spec: Arc<VirtualClusterSpec>,
    /// The host object that owns every namespaced host object of this virtual cluster, as an entry of
    /// `metadata.ownerReferences` (without `controller`).
    pub owner: Option<serde_json::Value>,
    /// Where pods reach the virtual cluster's API: address and port; `None` until it is known.
    pub api: Option<(String, u16)>,
    /// The address of the virtual cluster's DNS server on the host, port 53; `None`: it has none.
    pub dns: Option<SmolStr>,
}

impl Binding {
    /// Whether it shows services of the host in the virtual cluster.
    pub fn shows_services(&self) -> bool {
        !self.spec.networking.replicate_services.from_host.is_empty()
    }
}

/// Finds bindings; the fleet implements it. Called for every commit, so: quick.
pub trait Bindings: Send + Sync + 'static {
    /// The binding of a virtual cluster; `None` for other clusters.
    fn of_virtual(&self, cluster: &ClusterId) -> Option<Arc<Binding>>;

    /// The binding that a host object belongs to by its namespace and its `warren.dev/managed-by` label.
    fn of_host(&self, host: &ClusterId, namespace: &str, managed_by: &str) -> Option<Arc<Binding>>;

    /// All bindings to a host: for what is shown to every tenant, such as nodes.
    fn on_host(&self, host: &ClusterId) -> Vec<Arc<Binding>>;

    /// Those bindings to a host that show services of it.
    fn shows_services(&self, host: &ClusterId) -> Vec<Arc<Binding>> {
        let mut bindings = self.on_host(host);
        bindings.retain(|binding| binding.shows_services());
        bindings
    }
}

/// How the names of a virtual cluster cross, as its configuration has it.
pub fn names(cluster: &str, host_namespace: &str, spec: &VirtualClusterSpec) -> Tenant {
    let namespaces = &spec.sync.to_host.namespaces;
    let tenant = Tenant::new(cluster, host_namespace);
    if !namespaces.enabled {
        return tenant;
    }
    let mappings = namespaces.mappings.by_name.iter();
    tenant.with_namespaces(mappings.map(|(from, to)| (from.as_str(), to.as_str())))
}
