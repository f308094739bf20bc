//! What the copy of a Service is on the other side. Pure.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

/// The label of a slice that names its Service.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label of a slice that names who writes it: the controllers leave it alone then.
const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// The spec of a copy that selects nothing: its endpoints are written. It is headless, because its endpoints are
/// addresses that are balanced already, or are meant one by one.
pub(super) fn plain_spec(service: &Value) -> Value {
    if service.text("/spec/type") == "ExternalName" {
        return json!({"type": "ExternalName", "externalName": service.at("/spec/externalName")});
    }
    json!({"type": "ClusterIP", "clusterIP": "None", "ports": ports(service)})
}

/// The ports of a copy: those of the Service, but no ports of nodes.
pub(super) fn ports(service: &Value) -> Value {
    let ports = service.items("/spec/ports").iter().map(|port| {
        let mut port = port.clone();
        port.take_at("/nodePort");
        port
    });
    Value::Array(ports.collect())
}

/// The slices of a copy that selects nothing: the addresses of the Service, or, where it has none, those behind it.
/// Each with `addressType`, `endpoints` and `ports`; `behind` are the Service's own slices.
pub(super) fn slices(service: &Value, behind: &[Value]) -> Vec<Value> {
    if service.text("/spec/type") == "ExternalName" {
        return Vec::new();
    }
    if service.text("/spec/clusterIP") == "None" {
        return behind.iter().map(slice).collect();
    }
    let ports: Vec<Value> = service.items("/spec/ports").iter().map(slice_port).collect();
    let mut addresses: Vec<&str> = service
        .items("/spec/clusterIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if addresses.is_empty() {
        addresses.push(service.text("/spec/clusterIP"));
    }
    let known = addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    known
        .map(|address| {
            json!({"addressType": family(address), "ports": ports,
                "endpoints": [{"addresses": [address.to_string()], "conditions": {"ready": true}}]})
        })
        .collect()
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn slice_port(port: &Value) -> Value {
    let mut copy =
        json!({"name": port.text("/name"), "port": port.at("/port"), "protocol": port.text("/protocol")});
    if !port.text("/appProtocol").is_empty() {
        copy.set("/appProtocol", port.text("/appProtocol"));
    }
    copy
}

/// A slice without what names objects of its own side: nodes, zones and pods.
fn slice(slice: &Value) -> Value {
    let endpoints: Vec<Value> = slice
        .items("/endpoints")
        .iter()
        .map(|endpoint| {
            let kept = ["addresses", "conditions", "hostname"].into_iter();
            let kept = kept.filter_map(|field| {
                let value = endpoint.field(field);
                (!value.is_null()).then(|| (field.to_owned(), value.clone()))
            });
            Value::Object(kept.collect::<Map<_, _>>())
        })
        .collect();
    json!({"addressType": slice.at("/addressType"), "ports": slice.items("/ports"), "endpoints": endpoints})
}

/// The labels of the slices of the copy `service`.
pub(super) fn slice_labels(service: &str) -> Value {
    json!({SERVICE_NAME: service, SLICE_MANAGED_BY: "warren.dev"})
}

/// The name of a slice of the copy `service`.
pub(super) fn slice_name(service: &str, at: usize) -> String {
    format!("{service}-replicated-{at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_addresses_is_copied_by_them() {
        let service = json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "selector": {"a": "b"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30001}]}});
        assert_eq!(
            plain_spec(&service),
            json!({"type": "ClusterIP", "clusterIP": "None",
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]})
        );
        let slices = slices(&service, &[]);
        assert_eq!(slices.len(), 2);
        assert_eq!(
            slices[1],
            json!({"addressType": "IPv6", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["fd00::1"], "conditions": {"ready": true}}]})
        );
    }

    #[test]
    fn a_headless_service_is_copied_by_its_endpoints_without_the_names_of_its_side() {
        let service = json!({"spec": {"clusterIP": "None", "ports": [{"port": 5432, "protocol": "TCP"}]}});
        let behind = json!({"addressType": "IPv4", "ports": [{"name": "", "port": 5432, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.1.0.1"], "hostname": "db-0", "conditions": {"ready": false},
                "nodeName": "node-1", "zone": "a", "targetRef": {"kind": "Pod", "name": "db-0-x-shop-x-demo"}}]});
        assert_eq!(
            slices(&service, &[behind]),
            [
                json!({"addressType": "IPv4", "ports": [{"name": "", "port": 5432, "protocol": "TCP"}],
                "endpoints": [{"addresses": ["10.1.0.1"], "hostname": "db-0", "conditions": {"ready": false}}]})
            ]
        );
    }

    #[test]
    fn another_name_stays_another_name() {
        let service = json!({"spec": {"type": "ExternalName", "externalName": "db.example"}});
        assert_eq!(
            plain_spec(&service),
            json!({"type": "ExternalName", "externalName": "db.example"})
        );
        assert!(slices(&service, &[]).is_empty());
        let waiting = json!({"spec": {"ports": []}});
        assert!(slices(&waiting, &[]).is_empty());
    }
}
