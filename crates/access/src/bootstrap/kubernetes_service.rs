//! The `kubernetes` service: how pods reach the API of their own cluster.

use std::net::IpAddr;

use serde_json::{Value, json};
use warren_apimachinery::Resource;
use warren_apimachinery::resource::{ENDPOINT_SLICES, ENDPOINTS, SERVICES, Scope};

use super::BootstrapObject;

const NAME: &str = "kubernetes";
const NAMESPACE: &str = "default";

const IP_ADDRESSES: Resource = Resource {
    group: "networking.k8s.io",
    version: "v1",
    kind: "IPAddress",
    plural: "ipaddresses",
    scope: Scope::Cluster,
};
const SERVICE_CIDRS: Resource = Resource {
    group: "networking.k8s.io",
    version: "v1",
    kind: "ServiceCIDR",
    plural: "servicecidrs",
    scope: Scope::Cluster,
};

/// Where the API of a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// The service's address, the first of the range.
    pub cluster_ip: IpAddr,
    /// The range that services get their addresses from, such as `10.96.0.0/16`; `None` where the host decides.
    pub service_cidr: Option<String>,
    /// Where the API server listens.
    pub endpoint: IpAddr,
    /// On which port.
    pub port: u16,
}

/// Service, Endpoints and EndpointSlice, and where the cluster has a range of its own, IPAddress and ServiceCIDR.
pub fn kubernetes_service(at: &ServiceEndpoint) -> Vec<BootstrapObject> {
    let ip = at.cluster_ip.to_string();
    let family = |address: IpAddr| if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut all = vec![
        object(
            SERVICES,
            json!({
                "metadata": {"name": NAME, "namespace": NAMESPACE,
                    "labels": {"component": "apiserver", "provider": "kubernetes"}},
                "spec": {"clusterIP": ip, "clusterIPs": [ip], "internalTrafficPolicy": "Cluster",
                    "ipFamilies": [family(at.cluster_ip)], "ipFamilyPolicy": "SingleStack",
                    "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": at.port}],
                    "sessionAffinity": "None", "type": "ClusterIP"},
                "status": {"loadBalancer": {}},
            }),
        ),
        object(
            ENDPOINTS,
            json!({
                "metadata": {"name": NAME, "namespace": NAMESPACE,
                    "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
                "subsets": [{"addresses": [{"ip": at.endpoint.to_string()}],
                    "ports": [{"name": "https", "port": at.port, "protocol": "TCP"}]}],
            }),
        ),
        object(
            ENDPOINT_SLICES,
            json!({
                "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
                "addressType": family(at.endpoint),
                "endpoints": [{"addresses": [at.endpoint.to_string()], "conditions": {"ready": true}}],
                "ports": [{"name": "https", "port": at.port, "protocol": "TCP"}],
            }),
        ),
    ];
    if let Some(cidr) = &at.service_cidr {
        all.push(object(
            SERVICE_CIDRS,
            json!({"metadata": {"name": NAME}, "spec": {"cidrs": [cidr]}}),
        ));
        all.push(object(IP_ADDRESSES, json!({
            "metadata": {"name": ip, "labels": {"ipaddress.kubernetes.io/ip-family": family(at.cluster_ip),
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}},
            "spec": {"parentRef": {"name": NAME, "namespace": NAMESPACE, "resource": "services"}},
        })));
    }
    all
}

fn object(resource: Resource, mut value: Value) -> BootstrapObject {
    use warren_apimachinery::value::ValueExt;
    value.set("/apiVersion", resource.api_version());
    value.set("/kind", resource.kind);
    BootstrapObject { resource, value }
}
