//! Which virtual cluster is bound to which host: filled by the `VirtualCluster` reconciler, asked by the syncer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use smol_str::SmolStr;
use warren_apimachinery::ClusterId;
use warren_syncer::{Binding, Bindings};
use warren_translate::Host;

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
    /// Those with objects in more than one host namespace, by host cluster and virtual cluster's name.
    spread: HashMap<(ClusterId, SmolStr), Vec<Arc<Binding>>>,
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

fn name(binding: &Binding) -> (ClusterId, SmolStr) {
    let cluster = SmolStr::new(binding.tenant.cluster());
    (binding.host_cluster.clone(), cluster)
}

impl State {
    /// Forgets that a virtual cluster's objects are spread.
    fn gather(&mut self, cluster: &ClusterId) {
        let Some(name) = self.by_virtual.get(cluster).map(|old| name(old)) else {
            return;
        };
        if let Some(all) = self.spread.get_mut(&name) {
            all.retain(|binding| binding.virtual_cluster != *cluster);
            if all.is_empty() {
                self.spread.remove(&name);
            }
        }
    }
}

impl BindingTable {
    /// Adds or replaces.
    pub(crate) fn put(&self, binding: Binding) {
        let binding = Arc::new(binding);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.gather(&binding.virtual_cluster);
        if binding.tenant.has_namespaces() {
            let all = state.spread.entry(name(&binding)).or_default();
            all.push(Arc::clone(&binding));
        }
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
        state.gather(cluster);
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
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let beside = state.by_host.get(&place);
        let spread = || {
            let all = state.spread.get(&(place.0.clone(), place.2.clone()))?;
            all.iter()
                .find(|binding| binding.tenant.lives_in(Host(namespace)))
        };
        beside.or_else(spread).cloned()
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
