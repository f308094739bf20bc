//! The networking.k8s.io group.

mod ingress;
mod ingress_class;
mod ip_address;
mod network_policy;
mod service_cidr;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "ingressclasses" => Arc::new(ingress_class::IngressClass),
        "ingresses" => Arc::new(ingress::Ingress),
        "ipaddresses" => Arc::new(ip_address::IpAddress),
        "networkpolicies" => Arc::new(network_policy::NetworkPolicy),
        "servicecidrs" => Arc::new(service_cidr::ServiceCidr),
        _ => return None,
    })
}
