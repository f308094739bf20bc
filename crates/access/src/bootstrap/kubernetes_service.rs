//! The `kubernetes` service: how pods reach the API of their own cluster.

use std::net::IpAddr;

use serde_json::{Value, json};

const NAME: &str = "kubernetes";
const NAMESPACE: &str = "default";

/// `default/kubernetes` without an address: whoever allocates for the cluster (or the host) gives it one.
pub fn kubernetes_service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE,
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"internalTrafficPolicy": "Cluster", "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            "sessionAffinity": "None", "type": "ClusterIP"},
        "status": {"loadBalancer": {}},
    })
}

/// Endpoints and EndpointSlice of `default/kubernetes`: where the API server listens.
pub fn kubernetes_endpoints(address: IpAddr, port: u16) -> [Value; 2] {
    let ports = json!([{"name": "https", "port": port, "protocol": "TCP"}]);
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let address = address.to_string();
    [
        json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": NAME, "namespace": NAMESPACE,
                "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
            "addressType": family,
            "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
            "ports": ports,
        }),
    ]
}

/// The `ServiceCIDR` of a cluster that allocates from a range of its own, and the `IPAddress` of its `kubernetes`
/// service.
pub fn service_range(cidr: &str, service: IpAddr) -> [Value; 2] {
    let family = if service.is_ipv4() { "IPv4" } else { "IPv6" };
    [
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": NAME},
            "spec": {"cidrs": [cidr]},
        }),
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {"name": service.to_string(), "labels": {
                "ipaddress.kubernetes.io/ip-family": family,
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}},
            "spec": {"parentRef": {"name": NAME, "namespace": NAMESPACE, "resource": "services"}},
        }),
    ]
}
