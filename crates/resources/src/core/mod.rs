//! The core group.

mod component_status;
mod config_map;
mod endpoints;
pub(crate) mod event;
mod limit_range;
mod namespace;
mod node;
mod persistent_volume;
pub(crate) mod persistent_volume_claim;
mod pod;
mod pod_template;
mod replication_controller;
mod resource_quota;
mod secret;
mod service;
mod service_account;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

pub(crate) use self::persistent_volume::inline_volume;
pub(crate) use self::service::{load_balancer_warnings, non_special_ip};

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "componentstatuses" => Arc::new(component_status::ComponentStatus),
        "configmaps" => Arc::new(config_map::ConfigMap),
        "endpoints" => Arc::new(endpoints::Endpoints),
        "events" => Arc::new(event::Event(event::View::Core)),
        "limitranges" => Arc::new(limit_range::LimitRange),
        "namespaces" => Arc::new(namespace::Namespace),
        "nodes" => Arc::new(node::Node),
        "persistentvolumeclaims" => Arc::new(persistent_volume_claim::PersistentVolumeClaim),
        "persistentvolumes" => Arc::new(persistent_volume::PersistentVolume),
        "pods" => Arc::new(pod::Pod),
        "podtemplates" => Arc::new(pod_template::PodTemplate),
        "replicationcontrollers" => Arc::new(replication_controller::ReplicationController),
        "resourcequotas" => Arc::new(resource_quota::ResourceQuota),
        "secrets" => Arc::new(secret::Secret),
        "serviceaccounts" => Arc::new(service_account::ServiceAccount),
        "services" => Arc::new(service::Service),
        _ => return None,
    })
}
