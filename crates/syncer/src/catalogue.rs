//! The list of rules.

use std::sync::Arc;

use warren_reconciler::Reconciler;

use crate::binding::Bindings;
use crate::config_map::ConfigMaps;
use crate::custom_resource::CustomResources;
use crate::event::Events;
use crate::garbage::Garbage;
use crate::mirrored::{Mirrored, Row};
use crate::namespace;
use crate::node::Nodes;
use crate::persistent_volume::PersistentVolumes;
use crate::pod::Pods;
use crate::replicated_service;
use crate::secret::Secrets;
use crate::service::Services;
use crate::shown::{CLASSES, Definitions, MAPPED, Mapped, ShownClasses};
use crate::{
    endpoint_slice, endpoints, gateway, ingress, network_policy, persistent_volume, persistent_volume_claim,
    pod_disruption_budget, priority_class, resource_claim, service_account, storage_class, volume_snapshot,
};

/// The kinds that the engine of `mirrored` carries to the host.
pub(crate) static MIRRORED: &[Row] = &[
    namespace::ROW,
    endpoints::ROW,
    endpoint_slice::ROW,
    persistent_volume_claim::ROW,
    persistent_volume::to_host::ROW,
    storage_class::ROW,
    volume_snapshot::SNAPSHOTS,
    volume_snapshot::CONTENTS,
    ingress::ROW,
    network_policy::ROW,
    pod_disruption_budget::ROW,
    service_account::ROW,
    priority_class::ROW,
    resource_claim::CLAIMS,
    resource_claim::TEMPLATES,
    gateway::GATEWAYS,
    gateway::HTTP_ROUTES,
    gateway::GRPC_ROUTES,
    gateway::TLS_ROUTES,
    gateway::BACKEND_TLS_POLICIES,
    gateway::REFERENCE_GRANTS,
];

/// Every rule, for the fleet's runtime. They run in all clusters: a change of the host concerns its tenants.
pub fn all(bindings: Arc<dyn Bindings>) -> Vec<Arc<dyn Reconciler>> {
    let bindings = || Arc::clone(&bindings);
    let mut rules: Vec<Arc<dyn Reconciler>> = vec![
        Arc::new(Pods { bindings: bindings() }),
        Arc::new(ConfigMaps { bindings: bindings() }),
        Arc::new(Secrets { bindings: bindings() }),
        Arc::new(Services { bindings: bindings() }),
        Arc::new(replicated_service::FromHost { bindings: bindings() }),
        Arc::new(replicated_service::ToHost { bindings: bindings() }),
        Arc::new(Nodes { bindings: bindings() }),
        Arc::new(PersistentVolumes { bindings: bindings() }),
        Arc::new(Events { bindings: bindings() }),
        Arc::new(Garbage { bindings: bindings() }),
        Arc::new(namespace::Accounts { bindings: bindings() }),
        Arc::new(Definitions { bindings: bindings() }),
        Arc::new(CustomResources::new(bindings())),
    ];
    for row in MIRRORED {
        let bindings = bindings();
        rules.push(Arc::new(Mirrored { bindings, row }));
    }
    for class in CLASSES {
        let bindings = bindings();
        rules.push(Arc::new(ShownClasses { bindings, class }));
    }
    for kind in MAPPED {
        let bindings = bindings();
        rules.push(Arc::new(Mapped { bindings, kind }));
    }
    rules
}
