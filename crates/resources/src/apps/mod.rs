//! The apps group.

mod controller_revision;
mod daemon_set;
mod deployment;
mod replica_set;
pub(crate) mod replicas;
mod stateful_set;
pub(crate) mod workload;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "controllerrevisions" => Arc::new(controller_revision::ControllerRevision),
        "daemonsets" => Arc::new(daemon_set::DaemonSet),
        "deployments" => Arc::new(deployment::Deployment),
        "replicasets" => Arc::new(replica_set::ReplicaSet),
        "statefulsets" => Arc::new(stateful_set::StatefulSet),
        _ => return None,
    })
}
