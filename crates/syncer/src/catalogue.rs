//! The list of rules.

use std::sync::Arc;

use warren_reconciler::Reconciler;

use crate::binding::Bindings;
use crate::config_map::ConfigMaps;
use crate::endpoint_slice::EndpointSlices;
use crate::endpoints::EndpointsRule;
use crate::event::Events;
use crate::garbage::Garbage;
use crate::ingress::Ingresses;
use crate::network_policy::NetworkPolicies;
use crate::node::Nodes;
use crate::persistent_volume::PersistentVolumes;
use crate::persistent_volume_claim::PersistentVolumeClaims;
use crate::pod::Pods;
use crate::pod_disruption_budget::PodDisruptionBudgets;
use crate::secret::Secrets;
use crate::service::Services;
use crate::storage_class::StorageClasses;

/// Every rule, for the fleet's runtime. They run in all clusters: a change of the host concerns its tenants.
pub fn all(bindings: Arc<dyn Bindings>) -> Vec<Arc<dyn Reconciler>> {
    let bindings = || Arc::clone(&bindings);
    vec![
        Arc::new(Pods { bindings: bindings() }),
        Arc::new(ConfigMaps { bindings: bindings() }),
        Arc::new(Secrets { bindings: bindings() }),
        Arc::new(Services { bindings: bindings() }),
        Arc::new(EndpointsRule { bindings: bindings() }),
        Arc::new(EndpointSlices { bindings: bindings() }),
        Arc::new(PersistentVolumeClaims { bindings: bindings() }),
        Arc::new(Ingresses { bindings: bindings() }),
        Arc::new(NetworkPolicies { bindings: bindings() }),
        Arc::new(PodDisruptionBudgets { bindings: bindings() }),
        Arc::new(Nodes { bindings: bindings() }),
        Arc::new(StorageClasses { bindings: bindings() }),
        Arc::new(PersistentVolumes { bindings: bindings() }),
        Arc::new(Events { bindings: bindings() }),
        Arc::new(Garbage { bindings: bindings() }),
    ]
}
