//! Which virtual cluster is bound to which host: filled by the `VirtualCluster` reconciler, asked by the syncer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use smol_str::SmolStr;
use warren_apimachinery::ClusterId;
use warren_syncer::{Binding, Bindings};

/// See the module. Bound: the virtual clusters that are resident.
#[derive(Default)]
pub(crate) struct BindingTable {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    by_virtual: HashMap<ClusterId, Arc<Binding>>,
    /// Host cluster, host namespace and virtual cluster's name.
    by_host: HashMap<(ClusterId, SmolStr, SmolStr), Arc<Binding>>,
    /// The few that are asked about every Service of the host.
    showing_services: HashMap<ClusterId, Arc<Binding>>,
}

fn place(binding: &Binding) -> (ClusterId, SmolStr, SmolStr) {
    let namespace = binding.tenant.host_namespace().0.clone();
    (
        binding.host_cluster.clone(),
        namespace,
        SmolStr::new(binding.tenant.cluster()),
    )
}

impl BindingTable {
    /// Adds or replaces.
    pub(crate) fn put(&self, binding: Binding) {
        let binding = Arc::new(binding);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.by_host.insert(place(&binding), Arc::clone(&binding));
        match binding.shows_services() {
            true => state
                .showing_services
                .insert(binding.virtual_cluster.clone(), Arc::clone(&binding)),
            false => state.showing_services.remove(&binding.virtual_cluster),
        };
        state.by_virtual.insert(binding.virtual_cluster.clone(), binding);
    }

    pub(crate) fn remove(&self, cluster: &ClusterId) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(binding) = state.by_virtual.remove(cluster) {
            state.by_host.remove(&place(&binding));
            state.showing_services.remove(cluster);
        }
    }
}

impl Bindings for BindingTable {
    fn of_virtual(&self, cluster: &ClusterId) -> Option<Arc<Binding>> {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_virtual
            .get(cluster)
            .cloned()
    }

    fn of_host(&self, host: &ClusterId, namespace: &str, managed_by: &str) -> Option<Arc<Binding>> {
        let place = (host.clone(), SmolStr::new(namespace), SmolStr::new(managed_by));
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_host
            .get(&place)
            .cloned()
    }

    fn on_host(&self, host: &ClusterId) -> Vec<Arc<Binding>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state
            .by_virtual
            .values()
            .filter(|binding| binding.host_cluster == *host)
            .cloned()
            .collect()
    }

    fn shows_services(&self, host: &ClusterId) -> Vec<Arc<Binding>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let bindings = state.showing_services.values();
        bindings
            .filter(|binding| binding.host_cluster == *host)
            .cloned()
            .collect()
    }
}
